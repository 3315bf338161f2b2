//! Why a request about groups failed, said as Kafka's tools say it: with the name of the exception.

use crate::failure::Failure;
use ottla_wire::error::ErrorCode;
use std::fmt;

/// The failure of a request about groups, topics or offsets.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A broker refused it.
    Refused {
        /// The answer's code.
        error: ErrorCode,
        /// The broker's words, or the error's own.
        text: String,
    },
    /// The group is no consumer group.
    NotConsumers {
        /// The group.
        group: String,
        /// The protocol type that it has.
        protocol: String,
    },
    /// No answer came.
    Broken(Failure),
}

impl Trouble {
    /// A refusal with the broker's words, where it had any.
    pub(crate) fn refused(error: ErrorCode, text: Option<&str>) -> Trouble {
        Trouble::Refused { error, text: text.unwrap_or_else(|| error.text()).to_owned() }
    }

    /// The text without the exception's name.
    pub(crate) fn text(&self) -> String {
        match self {
            Trouble::Refused { text, .. } => text.clone(),
            Trouble::NotConsumers { group, protocol } => {
                format!("GroupId {group} is not a consumer group ({protocol}).")
            }
            Trouble::Broken(failure) => failure.to_string(),
        }
    }

    /// Whether it may be different in a moment, here or at another broker.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Trouble::Refused { error, .. } => error.retriable(),
            Trouble::NotConsumers { .. } => false,
            Trouble::Broken(failure) => failure.is_passing(),
        }
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Trouble::Refused { error, .. } => Some(*error),
            Trouble::NotConsumers { .. } | Trouble::Broken(_) => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        match self {
            Trouble::Refused { error, .. } => write!(f, "{}: {text}", exception(*error)),
            Trouble::NotConsumers { .. } => write!(f, "java.lang.IllegalArgumentException: {text}"),
            Trouble::Broken(_) => f.write_str(&text),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Broken(failure)
    }
}

/// The names of exceptions that are not the error's name in another case.
const IRREGULAR: [(ErrorCode, &str); 7] = [
    (ErrorCode::UNKNOWN_SERVER_ERROR, "UnknownServer"),
    (ErrorCode::NON_EMPTY_GROUP, "GroupNotEmpty"),
    (ErrorCode::REQUEST_TIMED_OUT, "Timeout"),
    (ErrorCode::INVALID_TOPIC_EXCEPTION, "InvalidTopic"),
    (ErrorCode::MESSAGE_TOO_LARGE, "RecordTooLarge"),
    (ErrorCode::KAFKA_STORAGE_ERROR, "KafkaStorage"),
    (ErrorCode::NETWORK_EXCEPTION, "Network"),
];

/// The class that Kafka's clients raise for an error.
pub(crate) fn exception(error: ErrorCode) -> String {
    let irregular = IRREGULAR.iter().find(|(known, _)| *known == error).map(|(_, name)| (*name).to_owned());
    let words = || error.name().split('_').map(capitalized).collect();
    let name: String = irregular.unwrap_or_else(words);
    format!("org.apache.kafka.common.errors.{name}Exception")
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{first}{}", rest.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::exception;
    use ottla_wire::error::ErrorCode;

    #[test]
    fn exceptions_bear_the_names_of_kafkas_classes() {
        let named =
            [ErrorCode::GROUP_ID_NOT_FOUND, ErrorCode::NON_EMPTY_GROUP, ErrorCode::NOT_COORDINATOR].map(exception);
        let wanted = ["GroupIdNotFoundException", "GroupNotEmptyException", "NotCoordinatorException"];
        assert_eq!(named, wanted.map(|name| format!("org.apache.kafka.common.errors.{name}")));
    }
}

//! How a setting is declared: once, in a table row with Kafka's name, type, default, bounds, reach and doc.

use std::fmt;

/// Kafka's type of a setting's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `true` or `false`, any case.
    Boolean,
    /// Text.
    String,
    /// 32-bit number.
    Int,
    /// 16-bit number.
    Short,
    /// 64-bit number.
    Long,
    /// Double precision number.
    Double,
    /// Texts separated by commas.
    List,
    /// Name of a Java class; we map known ones to what is built in.
    Class,
    /// Text that is never shown.
    Password,
}

impl Kind {
    /// The name that Kafka's messages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        }
    }
}

/// What a number counts; Kafka's names end in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A plain number or no number at all.
    None,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

/// Which values are allowed beyond the type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Valid {
    /// Every value of the type.
    Any,
    /// A number of at least this.
    AtLeast(i64),
    /// A number from … to ….
    Between(i64, i64),
    /// A number from … to …, or -1.
    BetweenOrMinusOne(i64, i64),
    /// A fraction from … to ….
    Fraction(f64, f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// Text that is not empty.
    NotEmpty,
    /// A list of these.
    Several(&'static [&'static str]),
    /// `partition:broker` pairs, or `*`.
    ThrottledReplicas,
}

/// Kafka's importance of a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    /// Most users set it.
    High,
    /// Some users set it.
    Medium,
    /// Few users set it.
    Low,
}

/// How far a setting can be changed while the broker runs (KIP-226).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Only by a restart.
    ReadOnly,
    /// For one broker.
    PerBroker,
    /// For one broker or all at once.
    ClusterWide,
}

/// What setting it does in this program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It does what Kafka's does.
    Honoured,
    /// It tunes something that this program does not have; any value is accepted. Says why it has no effect.
    None(&'static str),
    /// Any value but the default stops the start. Says what to do instead.
    Refused(&'static str),
}

/// Value that holds when none is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Default {
    /// This text.
    Text(&'static str),
    /// No value.
    Null,
    /// The user must say.
    Required,
}

impl Default {
    /// The text, None without one.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        match self {
            Default::Text(text) => Some(text),
            Default::Null | Default::Required => None,
        }
    }
}

/// One row of a settings table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// Type of its value.
    pub kind: Kind,
    /// Value without one given.
    pub default: Default,
    /// Values allowed.
    pub valid: Valid,
    /// Kafka's importance.
    pub importance: Importance,
    /// How far it can change while running.
    pub reach: Reach,
    /// What it does here.
    pub effect: Effect,
    /// What it does, for people; empty when `effect` says it all.
    pub doc: &'static str,
    /// Not shown to users (Kafka's internal settings).
    pub internal: bool,
}

impl Setting {
    /// A row with a default text, no bounds, medium importance, read-only.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind, default: &'static str) -> Setting {
        Setting {
            name,
            kind,
            default: Default::Text(default),
            valid: Valid::Any,
            importance: Importance::Medium,
            reach: Reach::ReadOnly,
            effect: Effect::Honoured,
            doc: "",
            internal: false,
        }
    }

    /// The row with no value by default.
    #[must_use]
    pub const fn null(mut self) -> Setting {
        self.default = Default::Null;
        self
    }

    /// The row without default: the user must say.
    #[must_use]
    pub const fn required(mut self) -> Setting {
        self.default = Default::Required;
        self
    }

    /// The row with these values allowed.
    #[must_use]
    pub const fn valid(mut self, valid: Valid) -> Setting {
        self.valid = valid;
        self
    }

    /// The row with high importance.
    #[must_use]
    pub const fn high(mut self) -> Setting {
        self.importance = Importance::High;
        self
    }

    /// The row with low importance.
    #[must_use]
    pub const fn low(mut self) -> Setting {
        self.importance = Importance::Low;
        self
    }

    /// The row, changeable for one broker while it runs.
    #[must_use]
    pub const fn per_broker(mut self) -> Setting {
        self.reach = Reach::PerBroker;
        self
    }

    /// The row, changeable for all brokers while they run.
    #[must_use]
    pub const fn cluster_wide(mut self) -> Setting {
        self.reach = Reach::ClusterWide;
        self
    }

    /// The row, hidden from users.
    #[must_use]
    pub const fn internal(mut self) -> Setting {
        self.internal = true;
        self
    }

    /// The row with its doc.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Setting {
        self.doc = doc;
        self
    }

    /// The row as one that has no effect here, and why.
    #[must_use]
    pub const fn without_effect(mut self, why: &'static str) -> Setting {
        self.effect = Effect::None(why);
        self
    }

    /// The row as one that we refuse to start with, and what to do.
    #[must_use]
    pub const fn refused(mut self, remedy: &'static str) -> Setting {
        self.effect = Effect::Refused(remedy);
        self
    }

    /// What its number counts, as the end of its name says.
    #[must_use]
    pub fn unit(&self) -> Unit {
        if !matches!(self.kind, Kind::Int | Kind::Short | Kind::Long | Kind::Double) {
            return Unit::None;
        }
        match self.name.rsplit('.').next() {
            Some("bytes") => Unit::Bytes,
            Some("ms" | "millis") => Unit::Milliseconds,
            Some("seconds" | "secs") => Unit::Seconds,
            Some("minutes") => Unit::Minutes,
            Some("hours") => Unit::Hours,
            _ => Unit::None,
        }
    }

    /// Text for people: the doc, or why it does nothing, or what to do instead.
    #[must_use]
    pub fn help(&self) -> String {
        match self.effect {
            Effect::Honoured => self.doc.to_owned(),
            Effect::None(why) => format!("Accepted without effect: {why}."),
            Effect::Refused(remedy) => format!("Only the default is accepted: {remedy}."),
        }
    }

    /// Checks type and bounds of a value.
    ///
    /// # Errors
    /// What is wrong, in Kafka's words.
    pub fn check(&self, text: &str) -> Result<Value, Fault> {
        let value = self.parse(text)?;
        self.check_bounds(&value)?;
        Ok(value)
    }

    fn parse(&self, text: &str) -> Result<Value, Fault> {
        let trimmed = text.trim();
        let number = |_| self.fault(text, &format!("Not a number of type {}", self.kind.name()));
        Ok(match self.kind {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Boolean(true),
            Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Boolean(false),
            Kind::Boolean => return Err(self.fault(text, "Expected value to be either true or false")),
            Kind::String | Kind::Class | Kind::Password => Value::Text(trimmed.to_owned()),
            Kind::Int => Value::Number(trimmed.parse::<i32>().map_err(number)?.into()),
            Kind::Short => Value::Number(trimmed.parse::<i16>().map_err(number)?.into()),
            Kind::Long => Value::Number(trimmed.parse::<i64>().map_err(number)?),
            Kind::Double => {
                let parsed = trimmed.parse::<f64>();
                Value::Fraction(parsed.map_err(|_| self.fault(text, "Not a number of type DOUBLE"))?)
            }
            Kind::List if trimmed.is_empty() => Value::List(Vec::new()),
            Kind::List => Value::List(trimmed.split(',').map(|item| item.trim().to_owned()).collect()),
        })
    }

    fn check_bounds(&self, value: &Value) -> Result<(), Fault> {
        let wrong = |text: String| Err(self.fault(&value.to_string(), &text));
        match (self.valid, value) {
            (Valid::AtLeast(min), Value::Number(number)) if *number < min => {
                wrong(format!("Value must be at least {min}"))
            }
            (Valid::Between(min, _), Value::Number(number)) if *number < min => {
                wrong(format!("Value must be at least {min}"))
            }
            (Valid::Between(_, max), Value::Number(number)) if *number > max => {
                wrong(format!("Value must be no more than {max}"))
            }
            (Valid::BetweenOrMinusOne(min, max), Value::Number(number))
                if *number != -1 && !(min..=max).contains(number) =>
            {
                wrong(format!("Value must be between {min} and {max} or equal to -1"))
            }
            (Valid::Fraction(min, _), Value::Fraction(number)) if *number < min => {
                wrong(format!("Value must be at least {min}"))
            }
            (Valid::Fraction(_, max), Value::Fraction(number)) if *number > max => {
                wrong(format!("Value must be no more than {max}"))
            }
            (Valid::OneOf(allowed), Value::Text(text)) if !allowed.contains(&text.as_str()) => {
                wrong(format!("String must be one of: {}", allowed.join(", ")))
            }
            (Valid::OneOfAnyCase(allowed), Value::Text(text))
                if !allowed.iter().any(|one| one.eq_ignore_ascii_case(text)) =>
            {
                wrong(format!("String must be one of (case insensitive): {}", allowed.join(", ")))
            }
            (Valid::NotEmpty, Value::Text(text)) if text.is_empty() => wrong("String must be non-empty".to_owned()),
            (Valid::Several(allowed), Value::List(items)) => self.check_list(allowed, items),
            (Valid::ThrottledReplicas, Value::List(items)) => self.check_throttled(items),
            _ => Ok(()),
        }
    }

    fn check_list(&self, allowed: &[&str], items: &[String]) -> Result<(), Fault> {
        for item in items {
            if item.is_empty() {
                return Err(Fault(format!("Configuration '{}' values must not be empty.", self.name)));
            }
            if !allowed.contains(&item.as_str()) {
                return Err(self.fault(item, &format!("String must be one of: {}", allowed.join(", "))));
            }
        }
        Ok(())
    }

    fn check_throttled(&self, items: &[String]) -> Result<(), Fault> {
        let pair = |item: &String| {
            item.split_once(':')
                .is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok())
        };
        let wildcard = items.len() == 1 && matches!(items[0].as_str(), "*" | "none");
        if wildcard || items.iter().all(pair) {
            return Ok(());
        }
        Err(self.fault(
            &format!("[{}]", items.join(", ")),
            &format!(
                "{} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                self.name
            ),
        ))
    }

    fn fault(&self, value: &str, text: &str) -> Fault {
        let shown = if self.kind == Kind::Password { "[hidden]" } else { value };
        Fault(format!("Invalid value {shown} for configuration {}: {text}", self.name))
    }
}

/// A checked value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Of a boolean.
    Boolean(bool),
    /// Of an int, short or long.
    Number(i64),
    /// Of a double.
    Fraction(f64),
    /// Of a string, class or password.
    Text(String),
    /// Of a list.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            // As Java prints a double.
            Value::Fraction(value) => f.write_str(&format!("{value:?}").replace('e', "E")),
            Value::Text(value) => f.write_str(value),
            Value::List(items) => f.write_str(&items.join(",")),
        }
    }
}

/// Why a value is not allowed, in Kafka's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

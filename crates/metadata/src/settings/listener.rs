//! Listeners: `NAME://host:port`, their security protocols and the addresses told to clients.

use std::collections::BTreeMap;

use ottla_host::setting::Fault;

/// Host and port of a listener or an advertised address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Host name or address without brackets; empty for every address.
    pub host: String,
    /// Port; 0 lets the operating system choose.
    pub port: u16,
}

/// One listener of this node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Name in upper case.
    pub name: String,
    /// Where it listens.
    pub bind: Endpoint,
    /// What clients are told; None answers the address that the client connected to.
    pub advertised: Option<Endpoint>,
    /// It serves controller requests, not clients.
    pub controller: bool,
}

/// The settings that make up the listeners, as texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListenerTexts<'a> {
    pub(super) listeners: &'a [String],
    pub(super) advertised: Option<&'a [String]>,
    pub(super) protocols: Option<&'a str>,
    pub(super) controller_names: &'a [String],
}

/// Parses and cross-checks the listeners.
pub(super) fn parse(texts: &ListenerTexts<'_>) -> Result<Vec<Listener>, Fault> {
    let mut listeners: Vec<Listener> = Vec::new();
    for text in texts.listeners {
        let (name, bind) = endpoint("listeners", text)?;
        require_plaintext(texts, &name)?;
        if listeners.iter().any(|other| other.name == name) {
            return Err(invalid("listeners", text, "Each listener must have a different name"));
        }
        if bind.port != 0 && listeners.iter().any(|other| other.bind.port == bind.port && !both_families(other, &bind))
        {
            return Err(invalid("listeners", text, "Each listener must have a different port"));
        }
        let controller = texts.controller_names.iter().any(|other| other.eq_ignore_ascii_case(&name));
        listeners.push(Listener { name, bind, advertised: None, controller });
    }
    advertise(texts, &mut listeners)?;
    Ok(listeners)
}

/// The same port may be given twice for an IPv4 and an IPv6 address (KIP-797).
fn both_families(one: &Listener, other: &Endpoint) -> bool {
    let is_v6 = |host: &str| host.contains(':');
    let is_v4 = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let (one, other) = (&one.bind.host, &other.host);
    (is_v4(one) && is_v6(other)) || (is_v6(one) && is_v4(other))
}

fn advertise(texts: &ListenerTexts<'_>, listeners: &mut [Listener]) -> Result<(), Fault> {
    for text in texts.advertised.unwrap_or_default() {
        let (name, address) = endpoint("advertised.listeners", text)?;
        if address.host == "0.0.0.0" {
            return Err(Fault(
                "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
                    .to_owned(),
            ));
        }
        let Some(listener) = listeners.iter_mut().find(|listener| listener.name == name) else {
            return Err(Fault(format!(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. \
                 Found {name}."
            )));
        };
        listener.advertised = Some(address).filter(|address| !address.host.is_empty());
    }
    Ok(())
}

fn require_plaintext(texts: &ListenerTexts<'_>, name: &str) -> Result<(), Fault> {
    let protocol = protocol_of(texts, name)?;
    if protocol == "PLAINTEXT" {
        return Ok(());
    }
    Err(Fault(format!(
        "listener {name} wants the security protocol {protocol}, which this release does not speak: give it PLAINTEXT \
         on an address that only trusted machines reach, or stay with the former broker until then"
    )))
}

fn protocol_of(texts: &ListenerTexts<'_>, name: &str) -> Result<String, Fault> {
    const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    let mapped = match texts.protocols {
        Some(text) => pairs("listener.security.protocol.map", text)?.remove(name),
        // Without a map each listener is named after its protocol, and controller listeners are PLAINTEXT.
        None if texts.controller_names.iter().any(|other| other.eq_ignore_ascii_case(name))
            && !PROTOCOLS.contains(&name) =>
        {
            Some("PLAINTEXT".to_owned())
        }
        None => Some(name.to_owned()),
    };
    match mapped {
        Some(protocol) if PROTOCOLS.contains(&protocol.as_str()) => Ok(protocol),
        Some(_) | None => Err(Fault(format!(
            "No security protocol defined for listener {name}: name it in listener.security.protocol.map"
        ))),
    }
}

/// `key:value` pairs separated by commas, both in upper case.
fn pairs(setting: &str, text: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut pairs = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.rsplit_once(':') else {
            return Err(invalid(setting, text, "it must be NAME:PROTOCOL pairs separated by commas"));
        };
        pairs.insert(key.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
    }
    Ok(pairs)
}

fn endpoint(setting: &str, text: &str) -> Result<(String, Endpoint), Fault> {
    let shape = || invalid(setting, text, "a listener is NAME://host:port");
    let (name, address) = text.split_once("://").ok_or_else(shape)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(shape)?;
    let port = port.trim().parse().map_err(|_| shape())?;
    let host = host.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    if name.trim().is_empty() {
        return Err(shape());
    }
    Ok((name.trim().to_ascii_uppercase(), Endpoint { host, port }))
}

fn invalid(setting: &str, value: &str, why: &str) -> Fault {
    Fault(format!("Invalid value {value} for configuration {setting}: {why}"))
}

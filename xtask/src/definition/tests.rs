//! The definitions of the tree against themselves, their fingerprints, and what is generated from them.

use super::{Versions, json, parse, print};
use crate::{convert, generate};
use serde_json::json as value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn every_definition_prints_as_it_is_written() {
    for path in convert::files(&root().join(convert::DEFINITIONS), "def").unwrap() {
        let text = fs::read_to_string(&path).unwrap();
        let document = parse(&text).unwrap();
        assert_eq!(print(&document), text, "{}", path.display());
    }
}

#[test]
fn every_definition_says_what_the_schema_said_that_it_came_from() {
    let text = fs::read_to_string(root().join(convert::FINGERPRINTS)).unwrap();
    let mut prints: BTreeMap<&str, &str> =
        text.lines().map(|line| line.split_once(' ').unwrap()).map(|(print, name)| (name, print)).collect();
    for (_, document) in convert::read_definitions(root()).unwrap() {
        for message in document.messages {
            let print = format!("{:016x}", json::fingerprint(&json::from_message(&message)));
            assert_eq!(prints.remove(message.name.as_str()), Some(print.as_str()), "{}", message.name);
        }
    }
    assert!(prints.is_empty(), "no definition of {prints:?}");
}

#[test]
fn generated_code_is_up_to_date() {
    let files = generate::files(root()).unwrap();
    for (name, text) in &files {
        let found = fs::read_to_string(root().join(name)).unwrap_or_default();
        assert!(found == *text, "{name} is out of date: run cargo xtask generate");
    }
    for path in convert::files(&root().join(generate::GENERATED), "rs").unwrap() {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        assert!(files.contains_key(&name), "nothing generates {name}");
    }
}

#[test]
fn schema_becomes_a_definition_and_back() {
    let schema = value!({
        "apiKey": 7, "type": "data", "name": "Sample", "validVersions": "0-3", "flexibleVersions": "2+",
        "latestVersionUnstable": true,
        "fields": [
            {"name": "Id", "type": "int32", "versions": "1-2", "default": -1, "entityType": "brokerId", "about": "prose"},
            {"name": "Names", "type": "[]string", "versions": "0+", "nullableVersions": "2+", "ignorable": true},
            {"name": "Inner", "type": "[]Part", "versions": "2+", "taggedVersions": "2+", "tag": 4, "fields": [
                {"name": "Key", "type": "bytes", "versions": "2+", "mapKey": true, "zeroCopy": true, "default": ""}]},
            {"name": "Late", "type": "int8", "taggedVersions": "3+", "tag": 5, "ignorable": false}
        ],
        "commonStructs": [{"name": "Shared", "versions": "0+", "fields": [
            {"name": "Old", "type": "string", "versions": "0+", "flexibleVersions": "none"}]}]
    });
    let message = json::message(&schema).unwrap();
    assert_eq!(json::from_message(&message), json::canonical(&schema));
    let document = super::Document { messages: vec![message], ..super::Document::default() };
    let text = print(&document);
    assert_eq!(
        text,
        "data Sample key 7 ..3 flexible 2+ unstable\n  Id int32 = -1 1..2 @brokerId\n  Names []string?2+ ~\n  \
         Inner []Part 2+ tag 4\n    Key bytes = \"\" 2+ key zerocopy\n  Late int8 3+ tag 5\n  struct Shared 0+\n    \
         Old string flexible none\n"
    );
    assert_eq!(parse(&text).unwrap(), document);
}

#[test]
fn lines_of_our_own_name_capabilities() {
    let document =
        parse("api 1 Some on broker\nadvertise 0+\nmay READ topic\ncan sessions 7+ KIP-227\n\nrequest 4..9\n").unwrap();
    assert_eq!(document.capabilities().collect::<Vec<_>>(), [("sessions", 7)]);
    assert_eq!(document.advertised_from(), Some(0));
    assert_eq!(document.own.len(), 3);
    assert_eq!(document.messages[0].valid, Versions::Range(4, Some(9)));
}

#[test]
fn unknown_keys_and_words_are_refused() {
    let schema = value!({"type": "data", "name": "A", "validVersions": "0", "novel": 1});
    assert_eq!(json::message(&schema), Err("unknown key novel".to_owned()));
    assert!(parse("data A 0\n  Field int32 sideways\n").unwrap_err().starts_with("line 2: "));
    assert!(parse("data A 0\n  Field int32\n      Deep int32\n").unwrap_err().contains("too deep"));
}

//! Rust names for Kafka's names.

const KEYWORDS: &[&str] = &[
    "as", "box", "break", "const", "crate", "do", "dyn", "else", "enum", "extern", "final", "fn", "for", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "try", "type", "unsafe", "use", "virtual", "where", "while", "yield",
    "async", "await", "abstract", "become", "gen", "typeof", "unsized",
];

/// `name` in snake case.
#[must_use]
pub(crate) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.replace("KRaft", "Kraft").chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(at + 1);
        let starts = before.is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit())
            || (before.is_some_and(|before| before.is_ascii_uppercase())
                && after.is_some_and(char::is_ascii_lowercase));
        if letter.is_ascii_uppercase() && starts {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// Field name: snake case, with an underscore behind Rust's keywords.
pub(crate) fn field(name: &str) -> String {
    let name = snake(name);
    if KEYWORDS.contains(&name.as_str()) { format!("{name}_") } else { name }
}

/// Constant name: upper snake case.
pub(crate) fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

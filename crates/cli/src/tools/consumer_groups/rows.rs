//! Tables as Kafka's tool prints them: columns padded to the right, the last one not.

/// The least width of most columns.
pub(super) const WIDE: usize = 15;

/// The longest of `values`, and `least` at least.
pub(super) fn width<'a>(least: usize, values: impl IntoIterator<Item = &'a str>) -> usize {
    values.into_iter().map(|value| value.chars().count()).max().unwrap_or(0).max(least)
}

/// A line of cells, each but the last padded to its width.
pub(super) fn line<S: AsRef<str>>(widths: &[usize], cells: &[S]) -> String {
    let padded = cells.iter().enumerate().map(|(at, cell)| match widths.get(at) {
        Some(width) => format!("{:width$}", cell.as_ref()),
        None => cell.as_ref().to_owned(),
    });
    padded.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{WIDE, line, width};

    #[test]
    fn all_but_the_last_cell_are_padded() {
        assert_eq!(line(&[4, 3], &["a", "bb", "c"]), "a    bb  c");
        assert_eq!(width(WIDE, ["a", "sixteen letters."]), 16);
    }
}

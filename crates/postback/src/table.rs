//! Tables for people.

use comfy_table::{CellAlignment, Table};

/// A column's heading and on which side its cells stand.
pub(crate) enum Column {
    /// To the left.
    Text(&'static str),
    /// To the right.
    Number(&'static str),
}

/// A table of these columns. What would move a terminal's cursor is shown as an escape.
pub(crate) fn table<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(columns.iter().map(|(Column::Text(heading) | Column::Number(heading))| *heading));
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for (index, column) in columns.iter().enumerate() {
        if let (Column::Number(_), Some(column)) = (column, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A text from outside, without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { plain.extend(character.escape_debug()) } else { plain.push(character) }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_nothing_that_a_terminal_would_obey() {
        let shown = table([Column::Text("a"), Column::Number("b")], [["x\u{1b}[2Jy\n".into(), "1".into()]]);
        let shown = shown.to_string();
        assert!(!shown.contains('\u{1b}') && shown.contains("x\\u{1b}[2Jy\\n"), "{shown}");
    }
}

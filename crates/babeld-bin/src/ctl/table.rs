//! Rows in columns as wide as needed; on a narrow terminal the least important columns go.

use super::output::{Output, Style};
use anyhow::Result;
use std::io::Write;

/// Between columns.
const GAP: usize = 2;

/// A column's title, and how readily it is left out: 0 never, the highest number first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) spare: u8,
    /// Numbers stand to the right.
    pub(super) right: bool,
}

impl Column {
    pub(super) const fn text(title: &'static str, spare: u8) -> Self {
        Self {
            title,
            spare,
            right: false,
        }
    }

    pub(super) const fn number(title: &'static str, spare: u8) -> Self {
        Self {
            title,
            spare,
            right: true,
        }
    }
}

/// A cell: its text and how it stands out.
pub(super) type Cell = (Style, String);

/// A cell that does not stand out.
pub(super) fn cell(text: impl Into<String>) -> Cell {
    (Style::Plain, text.into())
}

/// Rows under titles. Every row has as many cells as there are columns.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Writes it, each line after `indent` blanks. A column that is empty in every row is left
    /// out.
    pub(super) fn show<W: Write>(&self, indent: usize, output: &mut Output<W>) -> Result<()> {
        let widths = self.widths(output.width().map(|width| width.saturating_sub(indent)));
        let titles = self.columns.iter();
        let titles = titles.map(|column| (Style::Bold, column.title.to_owned()));
        let titles: Vec<Cell> = titles.collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.show_row(row, &widths, indent, output)?;
        }
        Ok(())
    }

    fn show_row<W: Write>(
        &self,
        row: &[Cell],
        widths: &[Option<usize>],
        indent: usize,
        output: &mut Output<W>,
    ) -> Result<()> {
        // Blanks are owed, not written at once: none stand at the end of a line.
        let mut owed = indent;
        let mut first = true;
        for ((column, (style, text)), width) in self.columns.iter().zip(row).zip(widths) {
            let Some(width) = width else { continue };
            if !std::mem::take(&mut first) {
                owed += GAP;
            }
            let padding = width.saturating_sub(length(text));
            if text.is_empty() {
                owed += width;
                continue;
            }
            let (before, after) = if column.right {
                (padding, 0)
            } else {
                (0, padding)
            };
            output.text(&" ".repeat(owed + before))?;
            output.styled(*style, text)?;
            owed = after;
        }
        output.text("\n")
    }

    /// Each column's width; `None` for those that are left out.
    fn widths(&self, limit: Option<usize>) -> Vec<Option<usize>> {
        let mut widths: Vec<Option<usize>> = (0..self.columns.len())
            .map(|index| {
                let cells = self.rows.iter().filter_map(|row| row.get(index));
                let widest = cells.map(|(_, text)| length(text)).max().unwrap_or(0);
                let title = self.columns.get(index).map_or(0, |one| length(one.title));
                (widest > 0 || self.rows.is_empty()).then(|| widest.max(title))
            })
            .collect();
        let total = |widths: &[Option<usize>]| {
            let shown: Vec<usize> = widths.iter().flatten().copied().collect();
            shown.iter().sum::<usize>() + GAP * shown.len().saturating_sub(1)
        };
        while limit.is_some_and(|limit| total(&widths) > limit) {
            let candidates = self.columns.iter().zip(&mut widths);
            let candidates =
                candidates.filter(|(column, width)| column.spare > 0 && width.is_some());
            let Some((_, width)) = candidates.max_by_key(|(column, _)| column.spare) else {
                break;
            };
            *width = None;
        }
        widths
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(table: &Table, width: Option<usize>) -> String {
        let mut output = Output::new(Vec::new(), false, width);
        table.show(0, &mut output).expect("memory takes all");
        output.into_text()
    }

    fn table() -> Table {
        Table {
            columns: vec![
                Column::text("NAME", 0),
                Column::number("COST", 1),
                Column::text("EMPTY", 0),
                Column::text("AGE", 2),
            ],
            rows: vec![
                vec![cell("a"), cell("96"), cell(""), cell("1 s")],
                vec![cell("longer"), cell("65535"), cell(""), cell("")],
            ],
        }
    }

    #[test]
    fn columns_are_aligned_without_trailing_blanks_or_empty_columns() {
        assert_eq!(
            show(&table(), None),
            "NAME     COST  AGE\na          96  1 s\nlonger  65535\n"
        );
    }

    #[test]
    fn a_narrow_terminal_loses_the_sparest_columns_first() {
        assert_eq!(
            show(&table(), Some(17)),
            "NAME     COST\na          96\nlonger  65535\n"
        );
        assert_eq!(show(&table(), Some(3)), "NAME\na\nlonger\n");
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let mut output = Output::new(Vec::new(), true, Some(40));
        table().show(1, &mut output).expect("memory takes all");
        let text = output.into_text();
        assert!(
            text.starts_with(" \x1b[1mNAME\x1b[0m     \x1b[1mCOST\x1b[0m"),
            "{text:?}"
        );
    }
}

//! A table of metrics that sorts by any column and copies as Markdown or CSV.

use std::cmp::Ordering;
use std::fmt::Write as _;

use eframe::egui::{
    self, Align, Align2, Color32, Layout, Response, RichText, Role, Sense, Ui, WidgetInfo, pos2,
    vec2,
};
use egui_extras::{Column, TableBuilder};

use crate::eval::metrics::{Interval, Intervals, Metric, Metrics};
use crate::ui::theme::Palette;
use crate::ui::widgets::elided;

/// The 95 % intervals of a row.
#[derive(Clone, Debug)]
pub(super) enum RowIntervals {
    /// Not drawn, or not yet.
    None,
    /// A single image on one side: there is nothing to draw again.
    OneImage,
    /// Drawn.
    Drawn(Box<Intervals>),
}

impl From<Option<&Option<Intervals>>> for RowIntervals {
    fn from(drawn: Option<&Option<Intervals>>) -> Self {
        match drawn {
            None => Self::None,
            Some(None) => Self::OneImage,
            Some(Some(intervals)) => Self::Drawn(Box::new(*intervals)),
        }
    }
}

impl RowIntervals {
    fn get(&self, metric: Metric) -> Option<&Interval> {
        match self {
            Self::Drawn(intervals) => Some(intervals.get(metric)),
            Self::None | Self::OneImage => None,
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct MetricRow {
    /// What was measured.
    pub name: String,
    /// The colour of its curve.
    pub color: Option<Color32>,
    /// OOD images behind it, where that is one set.
    pub images: Option<usize>,
    pub metrics: Metrics,
    pub intervals: RowIntervals,
    /// Whether it stands out.
    pub strong: bool,
}

/// The metrics that the table shows; copies hold all.
const SHOWN: [(Metric, &str, &str); 5] = [
    (Metric::Auroc, "AUROC", "Chance that a random ID image scores higher than a random OOD image"),
    (
        Metric::Fpr95,
        "FPR95\nID +",
        "ID positive, the paper's convention: share of OOD kept where 95 % of ID is kept",
    ),
    (
        Metric::Fpr95OodPositive,
        "FPR95\nOOD +",
        "OOD positive, OpenOOD's convention: share of ID lost where 95 % of OOD is caught",
    ),
    (Metric::AuprIn, "AUPR-in", "ID positive: area under precision and recall"),
    (Metric::AuprOut, "AUPR-out", "OOD positive: area under precision and recall"),
];

/// What stands in place of an interval where a set is one image.
const ONE_IMAGE: &str = "one image";

/// A metric's name in copied tables.
fn long_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Auroc => "AUROC",
        Metric::Fpr95 => "FPR95 (ID positive)",
        Metric::Fpr95Interpolated => "FPR95 (ID positive, interpolated)",
        Metric::Fpr95OodPositive => "FPR95 (OOD positive)",
        Metric::Fpr95OodPositiveInterpolated => "FPR95 (OOD positive, interpolated)",
        Metric::AveragePrecisionId => "AP (ID)",
        Metric::AveragePrecisionOod => "AP (OOD)",
        Metric::AuprIn => "AUPR-in",
        Metric::AuprOut => "AUPR-out",
    }
}

#[derive(Clone, Copy, PartialEq)]
enum SortColumn {
    Given,
    Name,
    Metric(Metric),
}

/// How the table is sorted.
pub(super) struct MetricTable {
    key: SortColumn,
    best_first: bool,
}

impl Default for MetricTable {
    fn default() -> Self {
        Self { key: SortColumn::Given, best_first: true }
    }
}

impl MetricTable {
    /// The table; `what` heads the first column. Without intervals where it is to be `low`: they are in
    /// what the pointer shows.
    pub(super) fn ui(&mut self, ui: &mut Ui, what: &str, rows: &[MetricRow], low: bool) {
        let rows = self.sorted(rows);
        let palette = Palette::of_ui(ui);
        // Room for the scroll bar.
        let width = ui.available_width() - 12.0;
        let name = (width * 0.24).clamp(72.0, 200.0);
        let column = ((width - name) / SHOWN.len() as f32 - 6.0).clamp(46.0, 110.0);
        ui.spacing_mut().item_spacing = vec2(6.0, 2.0);
        let table = TableBuilder::new(ui)
            .id_salt(what)
            .min_scrolled_height(40.0)
            .auto_shrink(false)
            .cell_layout(Layout::right_to_left(Align::Center))
            .column(Column::exact(name).clip(true))
            .columns(Column::exact(column).clip(true), SHOWN.len());
        let header = table.header(30.0, |mut header| {
            header.col(|ui| {
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    self.heading_ui(ui, SortColumn::Name, what, "Sort by name");
                });
            });
            for (metric, short, hint) in SHOWN {
                header.col(|ui| self.heading_ui(ui, SortColumn::Metric(metric), short, hint));
            }
        });
        header.body(|body| {
            let plain = rows.iter().all(|row| matches!(row.intervals, RowIntervals::None));
            let height = if plain || low { 20.0 } else { 29.0 };
            body.rows(height, rows.len(), |mut line| {
                let row = &rows[line.index()];
                line.col(|ui| {
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| name_ui(ui, row));
                });
                for (metric, ..) in SHOWN {
                    line.col(|ui| value_ui(ui, row, (metric, low), &palette));
                }
            });
        });
    }

    fn heading_ui(&mut self, ui: &mut Ui, key: SortColumn, text: &str, hint: &str) {
        let palette = Palette::of_ui(ui);
        let arrow = match (self.key == key, self.best_first) {
            (false, _) => "",
            (true, true) => " · best",
            (true, false) => " · worst",
        };
        let color = if self.key == key { palette.strong } else { palette.weak };
        let (text, hint) = (format!("{text}{arrow}"), format!("{hint}. Click to sort."));
        let clicked = match key {
            SortColumn::Name => {
                let text = RichText::new(text).small().color(color);
                ui.add(egui::Button::new(text).frame(false)).on_hover_text(hint).clicked()
            }
            _ => heading_ui(ui, &text, color, &hint).clicked(),
        };
        if clicked {
            // Best first, then worst first, then as given.
            (self.key, self.best_first) = match (self.key == key, self.best_first) {
                (false, _) => (key, true),
                (true, true) => (key, false),
                (true, false) => (SortColumn::Given, true),
            };
        }
    }

    fn sorted(&self, rows: &[MetricRow]) -> Vec<MetricRow> {
        let mut rows = rows.to_vec();
        let order = |a: &MetricRow, b: &MetricRow| match self.key {
            SortColumn::Given => Ordering::Equal,
            SortColumn::Name => a.name.cmp(&b.name),
            SortColumn::Metric(metric) if metric.higher_is_better() => {
                b.metrics.get(metric).total_cmp(a.metrics.get(metric))
            }
            SortColumn::Metric(metric) => a.metrics.get(metric).total_cmp(b.metrics.get(metric)),
        };
        rows.sort_by(|a, b| if self.best_first { order(a, b) } else { order(b, a) });
        rows
    }

    /// Buttons that copy the table.
    pub(super) fn copy_ui(&self, ui: &mut Ui, what: &str, rows: &[MetricRow]) {
        let texts = || (markdown(what, &self.sorted(rows)), csv(what, &self.sorted(rows)));
        copy_menu_ui(ui, "All metrics with their intervals", texts);
    }
}

/// A menu that copies a table as Markdown or CSV; `texts` writes both.
pub(super) fn copy_menu_ui(ui: &mut Ui, hint: &str, texts: impl Fn() -> (String, String)) {
    let menu = ui.menu_button("Copy table", |ui| {
        for (name, is_csv) in [("As Markdown", false), ("As CSV", true)] {
            if ui.button(name).clicked() {
                let (markdown, csv) = texts();
                ui.ctx().copy_text(if is_csv { csv } else { markdown });
                ui.close();
            }
        }
    });
    menu.response.on_hover_text(hint);
}

/// A heading of one or two lines over a column of numbers, at the right; a click sorts.
pub(super) fn heading_ui(ui: &mut Ui, text: &str, color: Color32, hint: &str) -> Response {
    let response = lines_ui(ui, text, color, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, text));
    response.on_hover_text(hint)
}

/// A heading of one or two lines over a column of numbers that does not sort.
pub(super) fn column_name_ui(ui: &mut Ui, text: &str) -> Response {
    let response = lines_ui(ui, text, Palette::of_ui(ui).weak, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    response
}

/// Lines at the right and below; brighter under the pointer if they can be clicked.
fn lines_ui(ui: &mut Ui, text: &str, color: Color32, sense: Sense) -> Response {
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), sense);
    let bright = sense.senses_click() && response.hovered();
    let color = if bright { Palette::of_ui(ui).strong } else { color };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let mut bottom = rect.bottom() - 2.0;
    for line in text.lines().rev() {
        let galley = elided(&painter, line, 11.0, color, rect.width());
        let line = Align2::RIGHT_BOTTOM.anchor_size(pos2(rect.right(), bottom), galley.size());
        painter.galley(line.min, galley, color);
        bottom = line.top() - 1.0;
    }
    response
}

fn name_ui(ui: &mut Ui, row: &MetricRow) {
    let palette = Palette::of_ui(ui);
    if let Some(color) = row.color {
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
        ui.painter().hline(rect.x_range(), rect.center().y, egui::Stroke::new(3.0, color));
    }
    let color = if row.strong { palette.strong } else { palette.text };
    let label = egui::Label::new(RichText::new(&row.name).color(color)).truncate();
    let response = ui.add(label);
    if let Some(images) = row.images {
        response.on_hover_text(format!("{images} images"));
    }
}

fn value_ui(ui: &mut Ui, row: &MetricRow, (metric, low): (Metric, bool), palette: &Palette) {
    let color = if row.strong { palette.strong } else { palette.text };
    let value = number(*row.metrics.get(metric));
    let interval = match row.intervals.get(metric) {
        _ if low => String::new(),
        Some(Interval { low, high }) => format!("{:.1} – {:.1}", low * 100.0, high * 100.0),
        None if matches!(row.intervals, RowIntervals::OneImage) => ONE_IMAGE.to_owned(),
        None => String::new(),
    };
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.with_layout(Layout::top_down(Align::Max), |ui| {
            let text = RichText::new(&value).color(color);
            let response = ui.label(if row.strong { text.strong() } else { text });
            response.on_hover_text(exactly(row, metric));
            if !interval.is_empty() {
                let text = RichText::new(interval).size(9.5).color(palette.weak);
                ui.add(egui::Label::new(text).extend());
            }
        });
    });
}

/// A metric in all the variants that there are.
fn exactly(row: &MetricRow, metric: Metric) -> String {
    let also: &[Metric] = match metric {
        Metric::Fpr95 => &[Metric::Fpr95, Metric::Fpr95Interpolated],
        Metric::Fpr95OodPositive => {
            &[Metric::Fpr95OodPositive, Metric::Fpr95OodPositiveInterpolated]
        }
        Metric::AuprIn => &[Metric::AuprIn, Metric::AveragePrecisionId],
        Metric::AuprOut => &[Metric::AuprOut, Metric::AveragePrecisionOod],
        _ => &[Metric::Auroc],
    };
    let lines = also.iter().map(|&metric| {
        let value = format!("{}: {:.3} %", long_name(metric), row.metrics.get(metric) * 100.0);
        match (row.intervals.get(metric), &row.intervals) {
            (Some(Interval { low, high }), _) => {
                format!("{value}, 95 % interval {} to {}", number(*low), number(*high))
            }
            (None, RowIntervals::OneImage) => {
                format!("{value}, no interval: it would need two images on either side")
            }
            (None, _) => value,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A fraction in per cent, two digits, as tables of papers have it.
fn number(value: f64) -> String {
    format!("{:.2}", value * 100.0)
}

/// The table as Markdown, values in per cent.
fn markdown(what: &str, rows: &[MetricRow]) -> String {
    let mut text = format!("| {what} |");
    Metric::ALL.iter().for_each(|&metric| text += &format!(" {} |", long_name(metric)));
    text += &format!("\n|---|{}\n", "---:|".repeat(Metric::ALL.len()));
    for row in rows {
        text += &format!("| {} |", row.name.replace('|', "\\|"));
        for metric in Metric::ALL {
            text += &format!(" {}", number(*row.metrics.get(metric)));
            if let Some(Interval { low, high }) = row.intervals.get(metric) {
                text += &format!(" ({}–{})", number(*low), number(*high));
            }
            text += " |";
        }
        text.push('\n');
    }
    text
}

/// The table as CSV, values as fractions, with the ends of the intervals.
fn csv(what: &str, rows: &[MetricRow]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = quoted(what);
    for metric in Metric::ALL {
        let name = long_name(metric);
        for column in [name.to_owned(), format!("{name} low"), format!("{name} high")] {
            text += &format!(",{}", quoted(&column));
        }
    }
    text.push('\n');
    for row in rows {
        text += &quoted(&row.name);
        for metric in Metric::ALL {
            let ends = row.intervals.get(metric);
            let ends = ends.map_or(",".to_owned(), |ends| format!("{},{}", ends.low, ends.high));
            // Writing to a string cannot fail.
            write!(text, ",{},{ends}", row.metrics.get(metric)).unwrap_or_default();
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, auroc: f64) -> MetricRow {
        let metrics = Metrics::from_fn(|metric| match metric {
            Metric::Auroc => auroc,
            _ => 1.0 - auroc,
        });
        let intervals = Intervals::from_fn(|_| Interval { low: 0.25, high: 0.75 });
        let intervals = match name {
            "plain" => RowIntervals::None,
            _ => RowIntervals::Drawn(Box::new(intervals)),
        };
        MetricRow {
            name: name.into(),
            color: None,
            images: None,
            metrics,
            intervals,
            strong: false,
        }
    }

    #[test]
    fn sorting_puts_the_best_first_whichever_way_is_better() {
        let rows = [row("a", 0.5), row("b", 0.9), row("c", 0.7)];
        let names = |key, best_first| -> String {
            let table = MetricTable { key, best_first };
            table.sorted(&rows).into_iter().map(|row| row.name).collect()
        };
        assert_eq!(names(SortColumn::Metric(Metric::Auroc), true), "bca");
        assert_eq!(names(SortColumn::Metric(Metric::Fpr95), true), "bca");
        assert_eq!(names(SortColumn::Metric(Metric::Auroc), false), "acb");
        assert_eq!(names(SortColumn::Given, true), "abc");
    }

    #[test]
    fn copies_can_be_read_back() {
        let rows = [row("near \"far\"", 0.875), row("plain", 0.5)];
        let text = csv("Set", &rows);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), 1 + 3 * Metric::ALL.len());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(&records[0][0], "near \"far\"");
        assert_eq!(&records[0][1], "0.875");
        assert_eq!(&records[0][2], "0.25");
        assert_eq!(&records[1][2], "");
        let text = markdown("Set", &rows);
        let columns: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [11; 4]);
        assert!(text.contains("| near \"far\" | 87.50 (25.00–75.00) |"));
    }
}

//! Results as files: what is gathered in the window, and written on a thread of its own.

use std::path::{Path, PathBuf};

use eframe::egui::{Color32, Rect, Theme, pos2, vec2};
use rayon::prelude::*;

use super::offscreen;
use super::sets::SetScores;
use super::state::{Job, Session};
use crate::export::plots::{self, Scores};
use crate::export::{self, ExportedImage, FigureForm};
use crate::figures::Svg;
use crate::figures::chart::{Figure, Glyph, Key, Sample};
use crate::figures::palette::Color;
use crate::figures::plots::{MapSpace, maps};
use crate::fs;
use crate::image::png;
use crate::panels::map_view::{ColorBy, MapStyle, class_words};
use crate::render::Shape;
use crate::score::verdict::Outcome;
use crate::ui::painter_canvas::PainterCanvas;
use crate::worker::{Event, ImageId, ImageSource, JobId, Recall, Worker};

/// Pixels for each point of a figure.
const SHARPNESS: f32 = 2.0;

/// What can be written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// A table of the selected images.
    Selected,
    /// A table of all open images.
    All,
    /// ROC curves of the open sets.
    Roc,
    /// Histograms of the open sets' scores.
    Histogram,
    /// The map of features.
    Map,
    /// The report of `evaluate` on the open sets: a folder.
    Report,
}

impl Exported {
    /// A file's name to begin with.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Selected => "selected.csv",
            Self::All => "images.csv",
            Self::Roc => "roc.svg",
            Self::Histogram => "scores.svg",
            Self::Map => "tsne.svg",
            Self::Report => "tagood-report",
        }
    }
}

type Write = Box<dyn FnOnce() -> Result<(), String> + Send>;

impl Session {
    /// Writes a file, in the form that its name's ending asks for. What is wrong becomes a message.
    pub(super) fn export(
        &mut self,
        what: Exported,
        path: PathBuf,
        color_by: ColorBy,
        worker: &Worker,
    ) {
        let write = match what {
            Exported::Report => return self.export_report(path, worker),
            Exported::Selected | Exported::All => self.table(what, path.clone(), worker.recaller()),
            _ => self.figure(what, color_by).map(|figure| write_figure(figure, path.clone())),
        };
        let write = match write {
            Ok(write) => write,
            Err(reason) => return self.notice(format!("{reason}: {}", path.display())),
        };
        let (job, report) = (JobId::unique(), worker.reporter());
        let label = format!("Writing {}", path.display());
        self.jobs.push(Job { id: job, label, done: 0, total: 1 });
        let thread = std::thread::Builder::new().name("export".into()).spawn(move || {
            match write() {
                Ok(()) => log::info!("wrote {}", path.display()),
                Err(error) => report(Event::Trouble(error)),
            }
            report(Event::JobEnded(job));
        });
        if let Err(error) = thread {
            self.jobs.retain(|other| other.id != job);
            self.notice(format!("cannot start writing: {error}"));
        }
    }

    fn table(&self, what: Exported, path: PathBuf, recall: Recall) -> Result<Write, String> {
        let info = self.info().ok_or("there is no model whose results could be written")?.clone();
        let settings = self.settings.clone();
        let chosen = |id| what == Exported::All || self.selected.contains(&id);
        let images: Vec<(ImageId, ExportedImage)> = self
            .entries()
            .iter()
            .filter(|entry| chosen(entry.id))
            .map(|entry| {
                (
                    entry.id,
                    ExportedImage {
                        path: match &entry.source {
                            ImageSource::File(path) => path.clone(),
                            _ => PathBuf::from(&entry.name),
                        },
                        set: entry.set.to_string(),
                        class: entry.class,
                        analysis: entry.analysis.clone(),
                        error: entry.error.clone(),
                    },
                )
            })
            .collect();
        if images.is_empty() {
            return Err("there are no images to write".into());
        }
        Ok(Box::new(move || {
            let row = |(id, image): &(ImageId, ExportedImage)| {
                image.row(recall(*id).as_ref(), &info.vocabulary, &settings)
            };
            let rows: Vec<_> = images.par_iter().map(row).collect();
            export::write_table(&path, &rows).map_err(|error| error.to_string())
        }))
    }

    fn figure(&self, what: Exported, color_by: ColorBy) -> Result<Figure, String> {
        let sets = self.scores_of_sets();
        let (detector, lambda) = (&self.settings.detector, self.lambda().map(f64::from));
        match what {
            Exported::Roc => plots::roc(&sets, detector, lambda).ok_or_else(|| {
                "a ROC curve needs scores of an in- and an out-of-distribution set".into()
            }),
            Exported::Histogram => plots::histogram(&sets, detector, lambda)
                .ok_or_else(|| "there are no scores to draw".into()),
            _ => self.map_figure(color_by).ok_or_else(|| "there is no map to draw yet".into()),
        }
    }

    /// The scores of every set that is said to be in- or out-of-distribution.
    fn scores_of_sets(&self) -> Vec<Scores> {
        let set = |set: SetScores| {
            let known = &self.sets()[set.set];
            let is_id = known.role.truth()? == Outcome::Id;
            let values = set.scores.iter().map(|(score, _)| f64::from(*score)).collect();
            Some(Scores { name: known.title().to_owned(), is_id, values })
        };
        self.set_scores().into_iter().filter_map(set).collect()
    }

    fn map_figure(&self, color_by: ColorBy) -> Option<Figure> {
        let frame = self.embedding.frame.as_ref()?;
        let mut map_style = MapStyle::default();
        // Figures are for white paper, and show no selection.
        map_style.follow_unselected(self, color_by, Theme::Light);
        let space = |space: usize, title: &str| {
            let (positions, styles) = (&frame.positions[space], &map_style.styles[space]);
            let point = |(&at, style): (&[f32; 2], &crate::render::PointStyle)| {
                let color = map_style.palette.get(usize::from(style.class)).copied();
                (at, glyph(style.shape), fixed(color.unwrap_or(Color32::GRAY)))
            };
            MapSpace {
                title: title.to_owned(),
                points: positions.iter().zip(styles.iter()).map(point).collect(),
                words: class_words(self, &map_style, space, positions),
            }
        };
        let spaces = vec![space(0, "Before projection"), space(1, "After projection")];
        let key = |key: &crate::panels::map_view::Key| Key {
            label: format!("{} ({})", key.label, key.images.len()),
            sample: Sample::Point(glyph(key.shape), fixed(key.color)),
        };
        let legend = map_style.legend.iter().map(key).collect();
        Some(maps("t-SNE of features before and after projection", &spaces, legend))
    }
}

fn glyph(shape: Shape) -> Glyph {
    match shape {
        Shape::Circle => Glyph::Circle,
        Shape::Cross => Glyph::Cross,
        Shape::Star => Glyph::Star,
    }
}

fn fixed(color: Color32) -> Color {
    Color::Fixed([color.r(), color.g(), color.b()])
}

fn write_figure(figure: Figure, path: PathBuf) -> Write {
    Box::new(move || match FigureForm::of(&path).map_err(|error| error.to_string())? {
        FigureForm::Svg => {
            let mut svg = Svg::file(figure.size, &figure.title);
            figure.draw(&mut svg);
            let text = svg.finish();
            save(&path, text.as_bytes())
        }
        FigureForm::Png => write_png(&figure, &path),
    })
}

/// Draws with the window's fonts, off-screen.
fn write_png(figure: &Figure, path: &Path) -> Result<(), String> {
    let [width, height] = figure.size;
    let picture = offscreen::picture(vec2(width, height), SHARPNESS, |ui| {
        let sheet = Rect::from_min_size(pos2(0.0, 0.0), vec2(width, height));
        let painter = ui.painter().with_clip_rect(sheet);
        painter.rect_filled(sheet, 0.0, Color32::WHITE);
        figure.draw(&mut PainterCanvas::new(&painter, sheet.min));
    });
    let picture = picture.map_err(|error| format!("{error:#}: {}", path.display()))?;
    let bytes = png(&picture).map_err(|error| format!("{error}: {}", path.display()))?;
    save(path, &bytes)
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes)
        .map_err(|error| format!("cannot write the export: {error}: {}", path.display()))
}

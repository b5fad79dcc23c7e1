//! Results as files: what is gathered in the window, and written on a thread of its own.

use std::path::{Path, PathBuf};

use eframe::egui::{Color32, Rect, Theme, pos2, vec2};
use rayon::prelude::*;

use super::{App, offscreen};
use crate::export::plots::{self, NamedScores};
use crate::export::{self, ExportedImage, FigureForm};
use crate::figures::Svg;
use crate::figures::chart::{Figure, Glyph, LegendKey, LegendSample};
use crate::figures::palette::Color;
use crate::figures::plots::{MapSpace, maps};
use crate::fs;
use crate::image::png;
use crate::panels::Exported;
use crate::panels::map_view::{ColorBy, MapStyle, SPACE_WORDS, class_words};
use crate::render::Shape;
use crate::score::verdict::Outcome;
use crate::session::entry::Entry;
use crate::session::images::SetResults;
use crate::session::{Command, Session, Severity};
use crate::ui::painter_canvas::PainterCanvas;
use crate::worker::{ImageId, JobControl, Recall, Request, Task};

/// Pixels for each point of a figure.
const SHARPNESS: f32 = 2.0;

/// Writes a file, in the form that its name's ending asks for. What is wrong becomes a notice.
pub(super) fn export(app: &mut App, what: Exported, path: PathBuf) {
    let write = match what {
        Exported::Report => return app.apply(Command::WriteReport(path)),
        Exported::Selected | Exported::All => {
            table(&app.session, what, path.clone(), app.worker.recaller())
        }
        Exported::Roc | Exported::Histogram | Exported::Map => {
            let figure = figure(&app.session, what, app.view.color_by);
            figure.map(|figure| write_figure(figure, path.clone()))
        }
    };
    let write = match write {
        Ok(write) => write,
        Err(reason) => {
            return app.session.notice(Severity::Error, format!("{reason}: {}", path.display()));
        }
    };
    let job = app.session.start_job(format!("Writing {}", path.display()), 1);
    let task = Box::new(move |control: &JobControl| {
        write(control)?;
        log::info!("wrote {}", path.display());
        Ok(())
    });
    app.worker.ask(Request::Run { job, task });
}

fn table(session: &Session, what: Exported, path: PathBuf, recall: Recall) -> Result<Task, String> {
    let info = session.info().ok_or("there is no model whose results could be written")?.clone();
    let settings = session.settings().clone();
    let chosen = |id| what == Exported::All || session.selected.contains(&id);
    let image = |entry: &Entry| {
        let path = entry.source.path().cloned();
        let image = ExportedImage {
            path: path.unwrap_or_else(|| PathBuf::from(&entry.name)),
            set: entry.set.to_string(),
            class: entry.class,
            analysis: entry.analysis.clone(),
            error: entry.error.clone(),
        };
        (entry.id, image)
    };
    let images: Vec<(ImageId, ExportedImage)> =
        session.entries().iter().filter(|entry| chosen(entry.id)).map(image).collect();
    if images.is_empty() {
        return Err("there are no images to write".into());
    }
    Ok(Box::new(move |control| {
        let row = |(id, image): &(ImageId, ExportedImage)| {
            let going_on = !control.is_cancelled();
            going_on.then(|| {
                image.row(
                    recall(*id).as_ref(),
                    (&info.vocabulary, info.labels.as_deref()),
                    &settings,
                )
            })
        };
        // A table that was stopped is not written, not even in part.
        let rows: Option<Vec<_>> = images.par_iter().map(row).collect();
        let Some(rows) = rows else { return Ok(()) };
        export::write_table(&path, &rows).map_err(|error| error.to_string())
    }))
}

fn figure(session: &Session, what: Exported, color_by: ColorBy) -> Result<Figure, String> {
    let sets = scores_of_sets(session);
    let (detector, lambda) = (&session.settings().detector, session.lambda().map(f64::from));
    match what {
        Exported::Roc => plots::roc(&sets, detector, lambda).ok_or_else(|| {
            "a ROC curve needs scores of an in- and an out-of-distribution set".into()
        }),
        Exported::Histogram => plots::histogram(&sets, detector, lambda)
            .ok_or_else(|| "there are no scores to draw".into()),
        _ => map_figure(session, color_by).ok_or_else(|| "there is no map to draw yet".into()),
    }
}

/// The scores of every set that is said to be in- or out-of-distribution.
fn scores_of_sets(session: &Session) -> Vec<NamedScores> {
    let set = |set: SetResults| {
        let known = &session.sets()[set.set];
        let is_id = known.role.truth()? == Outcome::Id;
        let values = set.scores.iter().map(|(score, _)| f64::from(score.ranked)).collect();
        Some(NamedScores { name: known.title().to_owned(), is_id, values })
    };
    session.images().set_scores().into_iter().filter_map(set).collect()
}

fn map_figure(session: &Session, color_by: ColorBy) -> Option<Figure> {
    let frame = session.embedding.frame.as_ref()?;
    let mut map_style = MapStyle::default();
    // Figures are for white paper, and show no selection.
    map_style.follow_unselected(session, color_by, Theme::Light);
    let space = |space: usize, title: &str| {
        let (positions, styles) = (&frame.positions[space], &map_style.styles[space]);
        let point = |(&at, style): (&[f32; 2], &crate::render::PointStyle)| {
            let color = map_style.palette.get(usize::from(style.class)).copied();
            (at, glyph(style.shape), fixed(color.unwrap_or(Color32::GRAY)))
        };
        MapSpace {
            title: title.to_owned(),
            points: positions.iter().zip(styles.iter()).map(point).collect(),
            words: class_words(session, &map_style, space, positions),
        }
    };
    let of_names = session.embedding.is_of_names();
    let [(first, _), (second, _)] = SPACE_WORDS[usize::from(of_names)];
    let spaces = vec![space(0, first), space(1, second)];
    let key = |key: &crate::panels::map_view::LegendEntry| LegendKey {
        label: format!("{} ({})", key.label, key.images.len()),
        sample: LegendSample::Point(glyph(key.shape), fixed(key.color)),
    };
    let legend = map_style.legend.iter().map(key).collect();
    let title = match of_names {
        true => "t-SNE of image features, with the names' text features",
        false => "t-SNE of features before and after projection",
    };
    Some(maps(title, &spaces, legend))
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

fn write_figure(figure: Figure, path: PathBuf) -> Task {
    Box::new(move |control| match FigureForm::of(&path).map_err(|error| error.to_string())? {
        FigureForm::Svg => {
            let mut svg = Svg::file(figure.size, &figure.title);
            figure.draw(&mut svg);
            let text = svg.finish();
            save(&path, text.as_bytes())
        }
        FigureForm::Png => write_png(&figure, &path, control),
    })
}

/// Draws with the window's fonts, off-screen.
fn write_png(figure: &Figure, path: &Path, control: &JobControl) -> Result<(), String> {
    let [width, height] = figure.size;
    let sheet = offscreen::Sheet { size: vec2(width, height), pixels_per_point: SHARPNESS };
    let picture = offscreen::picture(sheet, |ui| {
        let sheet = Rect::from_min_size(pos2(0.0, 0.0), vec2(width, height));
        let painter = ui.painter().with_clip_rect(sheet);
        painter.rect_filled(sheet, 0.0, Color32::WHITE);
        figure.draw(&mut PainterCanvas::new(&painter, sheet.min));
    });
    let picture = picture.map_err(|error| format!("{error:#}: {}", path.display()))?;
    if control.is_cancelled() {
        return Ok(());
    }
    let bytes = png(&picture).map_err(|error| format!("{error}: {}", path.display()))?;
    save(path, &bytes)
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes)
        .map_err(|error| format!("cannot write the export: {error}: {}", path.display()))
}

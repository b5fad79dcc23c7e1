//! Letters that the program's own fonts do not have, from the fonts of the system: names, tags and
//! sentences in Chinese, Korean, Arabic and the like.
//!
//! egui shapes them and joins Arabic letters, and sets every line from left to right: it knows no
//! right-to-left order of words. What no font can draw, such as a coloured emoji, is a box with the digits
//! of its code point.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::code_font::font_of;
use crossbeam_channel::{Sender, unbounded};
use eframe::egui::{
    Context, FallbackRequest, FontData, FontFamily, FontInsert, FontPriority, FontProvider,
    InsertFontFamily,
};
use fontdb::{Database, FaceInfo, ID, Source, Style};
use ttf_parser::Face;

/// Has letters that no font has looked up among the system's.
///
/// In a window they are looked up by a thread, and are boxes until it has found them; without one
/// (`waits`), they are waited for.
pub fn install(ctx: &Context, waits: bool) {
    let fonts = Arc::new(SystemFonts::default());
    if waits {
        let find = move |request: &FallbackRequest<'_>| {
            fonts.find_all(request.cluster.chars().take(1)).pop()
        };
        return ctx.add_font_provider(Arc::new(find));
    }
    let thread: OnceLock<Option<Sender<char>>> = OnceLock::new();
    let own_ctx = ctx.clone();
    let ask = move |request: &FallbackRequest<'_>| {
        let letter = request.cluster.chars().next()?;
        let sender = thread.get_or_init(|| looking_up(fonts.clone(), own_ctx.clone()));
        // A thread that has ended finds nothing more.
        sender.as_ref()?.send(letter).ok()?;
        None
    };
    ctx.add_font_provider(Arc::new(ask) as Arc<dyn FontProvider>);
}

/// Starts the thread that looks letters up and adds the fonts that have them.
fn looking_up(fonts: Arc<SystemFonts>, ctx: Context) -> Option<Sender<char>> {
    let (sender, letters) = unbounded::<char>();
    let look_up = move || {
        while let Ok(letter) = letters.recv() {
            // Those that are waiting get one font of boxes for all.
            for font in fonts.find_all(std::iter::once(letter).chain(letters.try_iter())) {
                ctx.add_font(font);
                ctx.request_repaint();
            }
        }
    };
    match std::thread::Builder::new().name("fonts".into()).spawn(look_up) {
        Ok(_) => Some(sender),
        Err(error) => {
            log::warn!("cannot look for the system's fonts: {error}");
            None
        }
    }
}

/// The system's fonts, listed when the first letter is looked up.
#[derive(Default)]
struct SystemFonts {
    faces: OnceLock<Database>,
    /// Faces in use already.
    taken: Mutex<BTreeSet<String>>,
}

/// What draws a letter.
enum Found {
    Font(FontInsert),
    /// A font that is in use.
    Taken,
    Nothing,
}

impl SystemFonts {
    /// The fonts that are to be added for letters; those that no font has are boxes.
    fn find_all(&self, letters: impl Iterator<Item = char>) -> Vec<FontInsert> {
        let (mut fonts, mut boxes) = (Vec::new(), BTreeSet::new());
        for letter in letters {
            match self.find(letter) {
                Found::Font(font) => fonts.push(font),
                Found::Taken => {}
                Found::Nothing => {
                    boxes.insert(letter);
                }
            }
        }
        if let Some(&first) = boxes.first() {
            let name = format!("boxes from {:04X}", u32::from(first));
            fonts.push(last_resort(name, FontData::from_owned(font_of(&boxes))));
        }
        fonts
    }

    /// The best face that has a letter.
    fn find(&self, letter: char) -> Found {
        let faces = self.faces.get_or_init(|| {
            let mut faces = Database::new();
            faces.load_system_fonts();
            faces
        });
        let best = faces
            .faces()
            .filter(|face| has_letter(faces, face.id, letter))
            .min_by_key(|face| rank(face, preferred_han()));
        let found = best.and_then(|best| {
            let (source, index) = faces.face_source(best.id)?;
            let name = format!("{} {index}", path_of(&source)?.display());
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            if !taken.insert(name.clone()) {
                return Some(Found::Taken);
            }
            let bytes = faces.with_face_data(best.id, |data, _| data.to_vec())?;
            let data = FontData { index, ..FontData::from_owned(bytes) };
            Some(Found::Font(last_resort(name, data)))
        });
        found.unwrap_or(Found::Nothing)
    }
}

/// A font that is asked after all others.
fn last_resort(name: String, data: FontData) -> FontInsert {
    let last = |family| InsertFontFamily { family, priority: FontPriority::Lowest };
    let families = [FontFamily::Proportional, FontFamily::Monospace].map(last).to_vec();
    FontInsert { name, data, families }
}

fn path_of(source: &Source) -> Option<&PathBuf> {
    match source {
        Source::File(path) | Source::SharedFile(path, _) => Some(path),
        Source::Binary(_) => None,
    }
}

/// Whether a face has a letter, drawn by an outline: egui draws no bitmaps.
fn has_letter(faces: &Database, id: ID, letter: char) -> bool {
    let has = |data: &[u8], index| {
        let face = Face::parse(data, index).ok()?;
        let tables = face.tables();
        let has_outlines = tables.glyf.is_some() || tables.cff.is_some() || tables.cff2.is_some();
        face.glyph_index(letter).filter(|_| has_outlines)
    };
    faces.with_face_data(id, has).flatten().is_some()
}

/// What makes a face fit beside the program's own: lowest first.
fn rank(face: &FaceInfo, han: &str) -> impl Ord {
    let name = face.families.first().map(|(name, _)| name.clone()).unwrap_or_default();
    let is_of_region = name.ends_with(han);
    (
        face.style != Style::Normal,
        face.weight.0.abs_diff(fontdb::Weight::NORMAL.0),
        face.monospaced,
        name.contains("Serif") || name.contains("Mono"),
        !is_of_region,
        name,
    )
}

/// The ending of the names of font families whose Chinese characters have the shapes of the user's
/// region.
fn preferred_han() -> &'static str {
    let language = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|language| !language.is_empty()));
    match language.unwrap_or_default() {
        language if language.starts_with("ja") => " JP",
        language if language.starts_with("ko") => " KR",
        language if language.starts_with("zh_TW") => " TC",
        language if language.starts_with("zh_HK") => " HK",
        _ => " SC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(font: &FontInsert, letter: char) -> bool {
        let face = Face::parse((*font.data.font).as_ref(), font.data.index).unwrap();
        face.glyph_index(letter).is_some()
    }

    #[test]
    fn a_letter_is_found_once_or_is_a_box() {
        let fonts = SystemFonts::default();
        // Not every system has a font for it.
        let found = fonts.find_all(['海'].into_iter());
        assert!(has(&found[0], '海'));
        if !found[0].name.starts_with("boxes") {
            assert!(fonts.find_all(['海'].into_iter()).is_empty());
        }
        let none = ['\u{E123}', '\u{10FFFF}'];
        let boxes = fonts.find_all(none.into_iter());
        assert_eq!(boxes.len(), 1, "one font for all");
        assert!(none.into_iter().all(|letter| has(&boxes[0], letter)));
    }
}

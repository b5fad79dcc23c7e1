//! Letters that the program's own fonts do not have, from the fonts of the system: names, tags and
//! sentences in Chinese, Korean, Arabic and the like.
//!
//! egui shapes them and joins Arabic letters, and sets every line from left to right: it knows no
//! right-to-left order of words.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
        let find = move |request: &FallbackRequest<'_>| fonts.find(request.cluster.chars().next()?);
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
        for letter in letters {
            if let Some(font) = fonts.find(letter) {
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

impl SystemFonts {
    /// The best face that has a letter; `None` if there is none or it is in use.
    fn find(&self, letter: char) -> Option<FontInsert> {
        let faces = self.faces.get_or_init(|| {
            let mut faces = Database::new();
            faces.load_system_fonts();
            faces
        });
        let best = faces
            .faces()
            .filter(|face| has_letter(faces, face.id, letter))
            .min_by_key(|face| rank(face, preferred_han()))?;
        let (source, index) = faces.face_source(best.id)?;
        let name = format!("{} {index}", path_of(&source)?.display());
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if !taken.insert(name.clone()) {
            return None;
        }
        let bytes = faces.with_face_data(best.id, |data, _| data.to_vec())?;
        let data = FontData { index, ..FontData::from_owned(bytes) };
        let last = |family| InsertFontFamily { family, priority: FontPriority::Lowest };
        let families = [FontFamily::Proportional, FontFamily::Monospace].map(last).to_vec();
        Some(FontInsert { name, data, families })
    }
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

    /// Where the system has a font for it, a letter is found once, and its face is in use then.
    #[test]
    fn a_letter_is_found_once() {
        let fonts = SystemFonts::default();
        let Some(font) = fonts.find('海') else { return };
        assert!(
            Face::parse((*font.data.font).as_ref(), font.data.index)
                .unwrap()
                .glyph_index('海')
                .is_some()
        );
        assert!(fonts.find('海').is_none());
        assert!(fonts.find('\u{10FFFF}').is_none(), "no font has what is no letter");
    }
}

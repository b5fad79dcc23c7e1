//! The window's own session: how it begins, is saved now and then, and ends; and what is offered of a
//! window that was killed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{self, Context, RichText, Theme, Ui};

use super::dialogs::{DialogAnswer, Dialogs};
use super::overlays::bar_frame;
use super::own_sessions::{OwnSession, OwnSessions};
use super::saved::{self, SavedSession, SessionError};
use super::{App, Options};
use crate::session::Severity;
use crate::ui::theme::Palette;

/// Seconds between two savings.
const SAVE_EVERY: f64 = 5.0;

/// A session that may be taken up again.
pub(super) struct Recovery {
    own: OwnSession,
    session: SavedSession,
}

/// Saves the session now and then, on a thread of its own, where it has changed.
#[derive(Default)]
pub(super) struct Autosave {
    own: Option<OwnSession>,
    saved: Option<SavedSession>,
    due_at: f64,
    touched: bool,
    writing: Writing,
}

/// What threads that write share.
#[derive(Clone, Default)]
struct Writing {
    /// The last state that was written: an older one does not take its place.
    last: Arc<Mutex<u64>>,
    next: Arc<AtomicU64>,
    /// Whether the user knows that it fails.
    told: Arc<AtomicBool>,
}

impl Writing {
    /// Writes a state unless a newer one is there already.
    fn write(&self, number: u64, session: &SavedSession, path: &Path) -> Option<SessionError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last > number {
            return None;
        }
        *last = number;
        match session.write(path) {
            Ok(()) => {
                self.told.store(false, Ordering::Relaxed);
                None
            }
            Err(error) => (!self.told.swap(true, Ordering::Relaxed)).then_some(error),
        }
    }
}

impl Autosave {
    fn of(own: OwnSession) -> Self {
        Self { own: Some(own), due_at: SAVE_EVERY, ..Self::default() }
    }

    /// Notes that something happened that may have changed the session.
    pub(super) fn touch(&mut self) {
        self.touched = self.own.is_some();
    }

    /// Seconds until there is something to save; `None` while there is nothing.
    pub(super) fn due_in(&self, time: f64) -> Option<f64> {
        self.touched.then_some((self.due_at - time).max(0.0))
    }

    /// Saves; what goes wrong is told once, until it goes right again.
    pub(super) fn save(&mut self, session: SavedSession, time: f64, dialogs: &Dialogs) {
        (self.due_at, self.touched) = (time + SAVE_EVERY, false);
        let Some(own) = self.own.as_ref().filter(|_| self.saved.as_ref() != Some(&session)) else {
            return;
        };
        self.saved = Some(session.clone());
        let (path, dialogs, writing) = (own.file(), dialogs.clone(), self.writing.clone());
        let number = writing.next.fetch_add(1, Ordering::Relaxed);
        rayon::spawn(move || {
            if let Some(error) = writing.write(number, &session, &path) {
                dialogs.answer(DialogAnswer::Trouble(not_saved(&error.to_string())));
            }
        });
    }
}

fn not_saved(error: &str) -> String {
    format!("this session is not kept for the next start: {error}")
}

impl App {
    /// Takes up the last session that no window has, or begins one. That of a window that was killed is
    /// offered, not opened: it may be what the window died of.
    pub(super) fn begin_session(
        &mut self,
        ctx: &Context,
        sessions: &OwnSessions,
        is_named: bool,
        options: &Options,
    ) {
        let newest = sessions.files().into_iter().next();
        let killed = sessions.take_killed();
        let was_last = killed.as_ref().is_some_and(|own| Some(own.file()) == newest);
        self.recovery = killed.and_then(|own| match SavedSession::read(&own.file()) {
            Ok(session) => Some(Recovery { own, session }),
            Err(error) => {
                self.keep_unread(own, &error);
                None
            }
        });
        let last = if is_named || was_last { None } else { sessions.take_last() };
        let own = match last.map(|own| (SavedSession::read(&own.file()), own)) {
            // Another of a window that was killed: its turn comes with the next start.
            Some((_, own)) if own.was_killed => None,
            Some((Ok(mut session), own)) => {
                session.dark = options.theme.map_or(session.dark, |theme| theme == Theme::Dark);
                if options.model_is_named {
                    session.state.model = None;
                }
                self.restore(ctx, session);
                Some(own)
            }
            Some((Err(error), own)) => {
                self.keep_unread(own, &error);
                None
            }
            None => None,
        };
        match own.map_or_else(|| sessions.begin(), Ok) {
            Ok(own) => self.autosave = Autosave::of(own),
            Err(error) => self.session.notice(Severity::Error, not_saved(&error.to_string())),
        }
    }

    /// Sees to it that a session that cannot be read, perhaps of a later version, is not written over.
    fn keep_unread(&mut self, own: OwnSession, error: &SessionError) {
        let sentence = match saved::keep_aside(&own.file()) {
            Ok(kept) => format!("{error}; it was kept as {}", kept.display()),
            Err(_) => format!("{error}; it stays as it is"),
        };
        own.close();
        self.session.notice(Severity::Error, sentence);
    }

    /// Offers what a window that was killed has left.
    pub(super) fn recovery_ui(&mut self, ui: &mut Ui) {
        let Some(recovery) = &self.recovery else { return };
        let palette = Palette::of_ui(ui);
        let images = recovery.session.state.images.len();
        let plural = if images == 1 { "image" } else { "images" };
        let text =
            format!("The last window did not end by itself. Its session has {images} {plural}.");
        let frame = bar_frame(ui);
        let (mut open, mut leave) = (false, false);
        egui::Panel::top("recovery").frame(frame).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(text).color(palette.strong));
                open = ui.button("Recover it").clicked();
                let hint = "Go on without it; it stays among the recent sessions";
                leave = ui.button("Not now").on_hover_text(hint).clicked();
            });
        });
        let ctx = ui.ctx().clone();
        match self.recovery.take_if(|_| open || leave) {
            Some(recovery) if open => self.recover(&ctx, recovery),
            Some(recovery) => recovery.own.close(),
            None => {}
        }
    }

    /// Goes on with the session of a window that was killed, in place of this window's own.
    fn recover(&mut self, ctx: &Context, recovery: Recovery) {
        self.end_session(ctx);
        self.autosave = Autosave::of(recovery.own);
        self.restore(ctx, recovery.session);
    }

    /// Saves the window's session for the last time, and lets go of it.
    fn end_session(&mut self, ctx: &Context) {
        let session = self.saved(ctx);
        let Some(own) = self.autosave.own.take() else { return };
        // A window in which nothing was opened has nothing worth coming back to.
        let is_worth_it = !session.state.images.is_empty() || own.file().exists();
        if is_worth_it {
            let writing = &self.autosave.writing;
            let number = writing.next.fetch_add(1, Ordering::Relaxed);
            if let Some(error) = writing.write(number, &session, &own.file()) {
                log::warn!("{error}");
            }
        }
        own.close();
    }

    /// Ends the window by itself.
    pub fn close(&mut self) {
        let ctx = self.dialogs.ctx.clone();
        self.end_session(&ctx);
        // What the user has not decided on is offered again.
        self.recovery = None;
    }
}

//! What the user is told.

/// How many are kept.
const KEPT: usize = 200;

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something was done.
    Info,
    /// Something was left out or done in another way; the rest goes on.
    Warning,
    /// Something could not be done.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }

    /// How long the status bar shows it, in seconds.
    fn lasts(self) -> f64 {
        match self {
            Self::Info => 8.0,
            Self::Warning => 20.0,
            Self::Error => 60.0,
        }
    }
}

/// A sentence for the user.
#[derive(Clone, Debug)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// The sentence.
    pub text: String,
    /// When it came, in seconds since the window opened.
    pub at: f64,
}

/// Sentences for the user. All stay in the log; the newest is also in the status bar, until it is
/// dismissed or its time is over.
#[derive(Debug, Default)]
pub(super) struct Notices {
    all: Vec<Notice>,
    dismissed: bool,
    now: f64,
}

impl Notices {
    /// All of them, newest last.
    pub(super) fn all(&self) -> &[Notice] {
        &self.all
    }

    /// Keeps one; one that is said again takes the place of the one before it.
    pub(super) fn add(&mut self, severity: Severity, text: String) {
        if self.all.pop_if(|last| last.text == text).is_none() {
            match severity {
                Severity::Info => log::info!("{text}"),
                Severity::Warning | Severity::Error => log::warn!("{text}"),
            }
        }
        self.dismissed = false;
        self.all.push(Notice { severity, text, at: self.now });
        let surplus = self.all.len().saturating_sub(KEPT);
        self.all.drain(..surplus);
    }

    /// The one in the status bar.
    pub(super) fn current(&self) -> Option<&Notice> {
        self.all.last().filter(|notice| !self.dismissed && self.left(notice) > 0.0)
    }

    /// Takes the one in the status bar away.
    pub(super) fn dismiss(&mut self) {
        self.dismissed = true;
    }

    /// Takes in the time, in seconds since the window opened; after how many seconds the status bar's
    /// notice ends.
    pub(super) fn follow(&mut self, now: f64) -> Option<f64> {
        self.now = now;
        self.current().map(|notice| self.left(notice))
    }

    fn left(&self, notice: &Notice) -> f64 {
        notice.at + notice.severity.lasts() - self.now
    }
}

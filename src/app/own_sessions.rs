//! The sessions that windows save by themselves: a folder for each window, which has it alone. A window
//! that ends by itself leaves its folder without a lock; one that is killed leaves the lock's file, by
//! which the next start knows what to offer.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::fs;

/// Sessions of windows that are gone, at most; the oldest are removed.
const KEPT: usize = 20;
/// The session's file in its folder.
const FILE: &str = "session.json";

/// Where the windows of one user keep their sessions.
#[derive(Clone, Debug)]
pub struct OwnSessions(PathBuf);

/// The session of a window, held by this process.
#[derive(Debug)]
pub struct OwnSession {
    folder: PathBuf,
    /// Whether the window that had it before was killed.
    pub was_killed: bool,
    _lock: File,
}

impl OwnSession {
    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Lets go of it: its window has ended by itself.
    pub fn close(self) {
        if let Err(error) = std::fs::remove_file(self.folder.join(fs::FOLDER_LOCK)) {
            log::warn!("cannot remove the session's lock: {error}: {}", self.folder.display());
        }
        // One that was never saved leaves nothing.
        std::fs::remove_dir(&self.folder).ok();
    }

    /// Takes a folder; `None` if another window has it.
    fn hold(folder: &Path) -> io::Result<Option<Self>> {
        let was_killed = folder.join(fs::FOLDER_LOCK).exists();
        let lock = fs::lock_folder(folder)?;
        // Whoever had it may have removed the lock's file just now.
        let holds = |_: &File| folder.join(fs::FOLDER_LOCK).exists();
        let own = |lock| Self { folder: folder.to_owned(), was_killed, _lock: lock };
        Ok(lock.filter(holds).map(own))
    }
}

impl OwnSessions {
    /// Those in a folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The user's; `None` if he has no home.
    pub fn of_user() -> Option<Self> {
        let folder = fs::data_folder()?;
        let sessions = Self(folder.join("sessions"));
        // Earlier versions had one session for all windows.
        let earlier = folder.join(FILE);
        if earlier.is_file() && !sessions.0.exists() {
            let place = sessions.0.join("earlier");
            let moved = std::fs::create_dir_all(&place)
                .and_then(|()| std::fs::rename(&earlier, place.join(FILE)));
            if let Err(error) = moved {
                log::warn!("cannot take over the last session: {error}: {}", earlier.display());
            }
        }
        Some(sessions)
    }

    /// A new one.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn begin(&self) -> io::Result<OwnSession> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        for number in 0..u32::MAX {
            let name = format!("{since}-{}-{number}", std::process::id());
            let folder = self.0.join(name);
            std::fs::create_dir_all(&self.0)?;
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            if let Some(own) = OwnSession::hold(&folder)? {
                self.sweep();
                return Ok(own);
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The one that was saved last, of those that no window has; `None` if there is none.
    pub fn take_last(&self) -> Option<OwnSession> {
        self.files().iter().find_map(|file| OwnSession::hold(file.parent()?).ok().flatten())
    }

    /// The newest of a window that was killed; `None` if there is none.
    pub fn take_killed(&self) -> Option<OwnSession> {
        let killed = |folder: &&Path| folder.join(fs::FOLDER_LOCK).exists();
        let files = self.files();
        let mut folders = files.iter().filter_map(|file| file.parent()).filter(killed);
        folders.find_map(|folder| OwnSession::hold(folder).ok().flatten())
    }

    /// The files, those that were saved last first.
    pub fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let dated = |file: PathBuf| Some((file.metadata().ok()?.modified().ok()?, file));
        let files = entries.flatten().map(|entry| entry.path().join(FILE));
        let mut files: Vec<(SystemTime, PathBuf)> = files.filter_map(dated).collect();
        files.sort_by(|a, b| b.cmp(a));
        files.into_iter().map(|(_, file)| file).collect()
    }

    /// Removes the oldest of those that no window has.
    fn sweep(&self) {
        let folders = self.files().into_iter().filter_map(|file| Some(file.parent()?.to_owned()));
        for folder in folders.skip(KEPT) {
            if let Ok(Some(_own)) = OwnSession::hold(&folder)
                && let Err(error) = std::fs::remove_dir_all(&folder)
            {
                log::warn!("cannot remove an old session: {error}: {}", folder.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(own: &OwnSession, text: &str) {
        std::fs::write(own.file(), text).unwrap();
    }

    fn text(own: &OwnSession) -> String {
        std::fs::read_to_string(own.file()).unwrap()
    }

    #[test]
    fn no_two_windows_have_one_session() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = OwnSessions::in_folder(folder.path().join("sessions"));
        assert!(sessions.take_last().is_none());
        let (first, second) = (sessions.begin().unwrap(), sessions.begin().unwrap());
        saved(&first, "first");
        saved(&second, "second");
        assert!(sessions.take_last().is_none(), "both are open");
        first.close();
        let again = sessions.take_last().unwrap();
        assert_eq!((text(&again), again.was_killed), ("first".into(), false));
        assert!(sessions.take_last().is_none());
    }

    #[test]
    fn a_killed_window_is_told_from_one_that_ended() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = OwnSessions::in_folder(folder.path().to_owned());
        let killed = sessions.begin().unwrap();
        saved(&killed, "killed");
        // The lock goes with the process, its file stays.
        drop(killed);
        let other = sessions.begin().unwrap();
        saved(&other, "ended later");
        other.close();
        let again = sessions.take_killed().unwrap();
        assert_eq!((text(&again), again.was_killed), ("killed".into(), true));
        assert!(sessions.take_killed().is_none());
        let other = sessions.take_last().unwrap();
        assert_eq!((text(&other), other.was_killed), ("ended later".into(), false));
        std::fs::remove_file(other.file()).unwrap();
        other.close();
        again.close();
        assert!(!sessions.take_last().unwrap().was_killed);
    }

    #[test]
    fn a_window_without_a_word_leaves_nothing_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = OwnSessions::in_folder(folder.path().to_owned());
        sessions.begin().unwrap().close();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let open = sessions.begin().unwrap();
        saved(&open, "open");
        for _ in 0..KEPT + 5 {
            let own = sessions.begin().unwrap();
            saved(&own, "later");
            own.close();
        }
        drop(sessions.begin().unwrap());
        assert_eq!(text(&open), "open");
        assert!(sessions.files().len() <= KEPT + 1);
    }
}

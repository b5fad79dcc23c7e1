//! Which window system to open the window on. The window library delivers dropped files on X11 and
//! not on Wayland, so X11 (there: XWayland) is taken wherever it answers.

use eframe::NativeOptions;

/// Why dropped files do not arrive, for people.
const NO_DROPS: &str = "The window runs on Wayland without X11, where dropped files do not arrive. \
                        Use Ctrl+O or Ctrl+V, or name images on the command line.";

/// No window system answers.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no display to open a window on; `tagood-lens inspect PATH…` prints verdicts without one, \
     and `tagood-lens --screenshot OUT.png PATH…` draws the window into a file"
)]
pub(super) struct NoDisplay;

/// Has the window open on X11 where that can be reached. Why dropped files will not arrive, if they
/// will not.
///
/// # Errors
/// If there is neither an X11 display that answers nor a Wayland one.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn choose(native: &mut NativeOptions) -> Result<Option<String>, NoDisplay> {
    use winit::platform::x11::EventLoopBuilderExtX11 as _;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let display = variable("DISPLAY").and_then(|display| x11::Address::parse(&display));
    if display.is_some_and(|address| address.answers()) {
        native.event_loop_builder = Some(Box::new(|builder| {
            builder.with_x11();
        }));
        return Ok(None);
    }
    let wayland = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(|v| variable(v).is_some());
    if wayland { Ok(Some(NO_DROPS.to_owned())) } else { Err(NoDisplay) }
}

/// Elsewhere there is one window system, and it brings drops.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn choose(_native: &mut NativeOptions) -> Result<Option<String>, NoDisplay> {
    Ok(None)
}

#[cfg(all(unix, not(target_os = "macos")))]
mod x11 {
    use std::net::{TcpStream, ToSocketAddrs as _};
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::Duration;

    /// The port of display 0 on the network.
    const FIRST_PORT: u16 = 6000;
    /// How long a display on the network may take to answer.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Where an X server listens.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(super) enum Address {
        /// A socket of this machine: a file, or on Linux the abstract name of the same text.
        Local(PathBuf),
        /// Another machine, with its port.
        Network(String, u16),
    }

    impl Address {
        /// Reads `[protocol/][host]:display[.screen]`, or a socket's path; `None` of anything else.
        pub(super) fn parse(display: &str) -> Option<Self> {
            let path = display.strip_prefix("unix:").unwrap_or(display);
            if path.starts_with('/') {
                return Some(Self::Local(path.into()));
            }
            let (_, name) = display.rsplit_once('/').unwrap_or(("", display));
            let (host, number) = name.rsplit_once(':')?;
            let number: u16 = number.split('.').next()?.parse().ok()?;
            match host {
                "" | "unix" => Some(Self::Local(format!("/tmp/.X11-unix/X{number}").into())),
                host => Some(Self::Network(host.to_owned(), FIRST_PORT.checked_add(number)?)),
            }
        }

        /// Whether something listens there.
        pub(super) fn answers(&self) -> bool {
            match self {
                Self::Local(path) => UnixStream::connect(path).is_ok() || answers_abstractly(path),
                Self::Network(host, port) => {
                    let host = host.trim_start_matches('[').trim_end_matches(']');
                    let addresses = (host, *port).to_socket_addrs();
                    addresses.is_ok_and(|mut addresses| {
                        addresses.any(|a| TcpStream::connect_timeout(&a, PATIENCE).is_ok())
                    })
                }
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn answers_abstractly(path: &std::path::Path) -> bool {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::net::SocketAddr;
        let address = SocketAddr::from_abstract_name(path.as_os_str().as_bytes());
        address.is_ok_and(|address| UnixStream::connect_addr(&address).is_ok())
    }

    #[cfg(not(target_os = "linux"))]
    fn answers_abstractly(_path: &std::path::Path) -> bool {
        false
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn displays_have_addresses() {
            let local = |path: &str| Some(Address::Local(path.into()));
            assert_eq!(Address::parse(":0"), local("/tmp/.X11-unix/X0"));
            assert_eq!(Address::parse("unix:12.1"), local("/tmp/.X11-unix/X12"));
            assert_eq!(Address::parse("/run/x/socket:0"), local("/run/x/socket:0"));
            let network = |host: &str, port| Some(Address::Network(host.into(), port));
            assert_eq!(Address::parse("localhost:10.0"), network("localhost", 6010));
            assert_eq!(Address::parse("tcp/far.example:1"), network("far.example", 6001));
            assert_eq!(Address::parse("[::1]:2"), network("[::1]", 6002));
            for nothing in ["", "0", ":", ":x", "host:65535"] {
                assert_eq!(Address::parse(nothing), None, "{nothing}");
            }
        }

        #[test]
        fn a_server_answers_or_not() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("X0");
            let address = Address::parse(path.to_str().unwrap()).unwrap();
            assert!(!address.answers());
            let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
            assert!(address.answers());
        }
    }
}

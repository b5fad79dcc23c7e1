//! Files dropped on the window by another program, over X11: a source client that speaks XDND, the
//! program itself under a virtual display, and the session that it saves as the witness.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tagood_lens::app::own_sessions::OwnSessions;
use tagood_lens::app::saved::SavedSession;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode,
    SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

const PATIENCE: Duration = Duration::from_secs(90);
/// The version of the protocol that the source speaks.
const XDND_VERSION: u32 = 5;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A virtual display, with its name.
fn display() -> (Running, String) {
    let mut server = Command::new("Xvfb");
    server.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]);
    let server = server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut server = server.expect("Xvfb starts: install the package xvfb, as scripts/test does");
    let mut number = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
    (Running(server), format!(":{}", number.trim()))
}

fn program(display: &str, home: &Path) -> Running {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
    let mut program = Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
    program.arg("--device").arg("cpu").arg("--model").arg(fixtures.join("tiny_ram.pth"));
    program.env("DISPLAY", display).env("XDG_DATA_HOME", home).env("XDG_RUNTIME_DIR", home);
    // As on a Wayland desktop: X11 has to be chosen, it is not all there is.
    program.env("WAYLAND_DISPLAY", "wayland-0");
    Running(program.spawn().unwrap())
}

/// A client that offers files to drop.
struct Source {
    connection: RustConnection,
    root: Window,
    window: Window,
    uris: String,
}

impl Source {
    fn new(display: &str, paths: &[PathBuf]) -> Self {
        let (connection, screen) = RustConnection::connect(Some(display)).unwrap();
        let (root, window) =
            (connection.setup().roots[screen].root, connection.generate_id().unwrap());
        let aux = CreateWindowAux::new();
        let class = WindowClass::INPUT_OUTPUT;
        connection.create_window(0, window, root, 0, 0, 8, 8, 0, class, 0, &aux).unwrap();
        let uri = |path: &PathBuf| {
            format!("file://{}\r\n", path.to_str().unwrap().replace('%', "%25").replace(' ', "%20"))
        };
        let source = Self { connection, root, window, uris: paths.iter().map(uri).collect() };
        let selection = source.atom("XdndSelection");
        let time = x11rb::CURRENT_TIME;
        source.connection.set_selection_owner(window, selection, time).unwrap();
        source.connection.flush().unwrap();
        source
    }

    fn atom(&self, name: &str) -> Atom {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    /// The window that takes drops, as soon as there is one.
    fn target(&self) -> Window {
        let aware = self.atom("XdndAware");
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let tree = self.connection.query_tree(self.root).unwrap().reply().unwrap();
            let takes_drops = |window: &Window| {
                let property =
                    self.connection.get_property(false, *window, aware, AtomEnum::ATOM, 0, 1);
                property.unwrap().reply().is_ok_and(|property| property.value_len == 1)
            };
            if let Some(window) = tree.children.into_iter().find(takes_drops) {
                return window;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no window takes drops");
    }

    fn tell(&self, target: Window, message: &str, data: [u32; 5]) {
        let event = ClientMessageEvent::new(32, target, self.atom(message), data);
        self.connection.send_event(false, target, EventMask::NO_EVENT, event).unwrap();
        self.connection.flush().unwrap();
    }

    /// Answers requests for the files until the target sends `message`; its data.
    fn serve_until(&self, message: &str) -> [u32; 5] {
        let awaited = self.atom(message);
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            match self.connection.poll_for_event().unwrap() {
                Some(Event::SelectionRequest(request)) => self.serve(&request),
                Some(Event::ClientMessage(event)) if event.type_ == awaited => {
                    return event.data.as_data32();
                }
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        panic!("the window sends no {message}");
    }

    fn serve(&self, request: &SelectionRequestEvent) {
        assert_eq!(request.target, self.atom("text/uri-list"));
        let (window, property, kind) = (request.requestor, request.property, request.target);
        let (replace, uris) = (PropMode::REPLACE, self.uris.as_bytes());
        self.connection.change_property8(replace, window, property, kind, uris).unwrap();
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: window,
            selection: request.selection,
            target: kind,
            property,
        };
        self.connection.send_event(false, window, EventMask::NO_EVENT, answer).unwrap();
        self.connection.flush().unwrap();
    }

    /// Drags the files over the window and lets go.
    fn drop_on(&self, target: Window) {
        let (none, kind) = (x11rb::NONE, self.atom("text/uri-list"));
        let (time, copy) = (x11rb::CURRENT_TIME, self.atom("XdndActionCopy"));
        self.tell(target, "XdndEnter", [self.window, XDND_VERSION << 24, kind, none, none]);
        let position = 300 << 16 | 200;
        // The first makes the window ask for the files, which it has when it answers the second.
        for _ in 0..2 {
            self.tell(target, "XdndPosition", [self.window, 0, position, time, copy]);
            assert_eq!(self.serve_until("XdndStatus")[1] & 1, 1, "the drop is not wanted");
            self.connection.sync().unwrap();
        }
        self.tell(target, "XdndDrop", [self.window, 0, time, 0, 0]);
        assert_eq!(self.serve_until("XdndFinished")[1] & 1, 1, "the drop was refused");
    }
}

#[test]
fn files_dropped_on_the_window_are_opened() {
    let (_server, display) = display();
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let (alone, set) = (home.join("one 100 % picture.png"), home.join("set"));
    std::fs::create_dir(&set).unwrap();
    let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([200, 80, 20]));
    let mut expected = vec![alone.clone(), set.join("a.png"), set.join("b.png")];
    expected.iter().for_each(|path| picture.save(path).unwrap());
    expected.push(set.join("c.png"));
    std::fs::write(&expected[3], b"not a picture").unwrap();

    let _program = program(&display, &home);
    let source = Source::new(&display, &[alone, set]);
    source.drop_on(source.target());

    let sessions = OwnSessions::in_folder(home.join("tagood-lens/sessions"));
    let started = Instant::now();
    let mut found = Vec::new();
    while found != expected {
        assert!(started.elapsed() < PATIENCE, "the session holds {found:?}");
        std::thread::sleep(Duration::from_millis(200));
        let saved = sessions.files().first().map(|file| SavedSession::read(file));
        let images = saved.and_then(Result::ok).map(|saved| saved.state.images);
        found = images.unwrap_or_default().into_iter().map(std::path::PathBuf::from).collect();
    }
}

//! Shaders: checked before they reach the device, and reloaded when their file changes.
//!
//! A shader's text is embedded in the binary. Where the environment variable `TAGOOD_SHADERS` names a
//! folder of shaders, the files in it are looked at as well, and a changed one replaces its pipeline
//! at the next frame; if it does not compile, the fault is logged and the old pipeline stays.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use eframe::egui_wgpu::wgpu::{self, naga};
use thiserror::Error;

use crate::fs;

/// Names the folder whose shaders are followed while the program runs.
const FOLDER: &str = "TAGOOD_SHADERS";
/// The largest file that is taken for a shader, in bytes.
const LARGEST: u64 = 1 << 20;

/// A shader that cannot be used.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ShaderError {
    /// It is not WGSL.
    #[error("the shader `{name}` does not parse: {message}")]
    Parse { name: &'static str, message: String },
    /// It is WGSL, but breaks its rules or those of the device or of its pipeline.
    #[error("the shader `{name}` is not valid: {message}")]
    Invalid { name: &'static str, message: String },
    /// Its file cannot be read.
    #[error("the shader `{name}` cannot be read: {source}: {}", path.display())]
    Read { name: &'static str, source: std::io::Error, path: PathBuf },
}

/// Parses and validates WGSL with the features that every WebGPU device has.
///
/// # Errors
/// If the text is not WGSL, or breaks its rules.
pub fn check(name: &'static str, wgsl: &str) -> Result<naga::Module, ShaderError> {
    let module = naga::front::wgsl::parse_str(wgsl)
        .map_err(|error| ShaderError::Parse { name, message: error.emit_to_string(wgsl) })?;
    let (flags, capabilities) =
        (naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
    naga::valid::Validator::new(flags, capabilities)
        .validate(&module)
        .map_err(|error| ShaderError::Invalid { name, message: error.emit_to_string(wgsl) })?;
    Ok(module)
}

/// Makes a pipeline of a shader module.
type Build = dyn Fn(&wgpu::Device, &wgpu::ShaderModule) -> wgpu::RenderPipeline + Send + Sync;

/// A render pipeline that may follow its shader's file.
pub(super) struct LivePipeline {
    name: &'static str,
    build: Box<Build>,
    pipeline: wgpu::RenderPipeline,
    watch: Option<FileWatch>,
}

impl LivePipeline {
    /// Compiles the embedded text of `shaders/NAME.wgsl`.
    ///
    /// # Errors
    /// If the shader or the pipeline is not valid on this device.
    pub(super) fn new(
        device: &wgpu::Device,
        name: &'static str,
        embedded: &str,
        build: impl Fn(&wgpu::Device, &wgpu::ShaderModule) -> wgpu::RenderPipeline
        + Send
        + Sync
        + 'static,
    ) -> Result<Self, ShaderError> {
        let build: Box<Build> = Box::new(build);
        let pipeline = compile(device, name, embedded, &build)?;
        let folder = std::env::var_os(FOLDER).map(PathBuf::from);
        let watch = folder.map(|folder| FileWatch::of(folder.join(name).with_extension("wgsl")));
        Ok(Self { name, build, pipeline, watch })
    }

    /// The pipeline to draw with.
    pub(super) fn get(&self) -> &wgpu::RenderPipeline {
        &self.pipeline
    }

    /// Replaces the pipeline if its shader's file is followed, has changed and is valid.
    pub(super) fn follow_file(&mut self, device: &wgpu::Device) {
        let Some(watch) = &mut self.watch else { return };
        if watch.is_due() && watch.has_changed() {
            let path = watch.path.clone();
            match self.reload(device, &path) {
                Ok(()) => log::info!("reloaded the shader `{}`", self.name),
                Err(error) => log::error!("{error}"),
            }
        }
    }

    fn reload(&mut self, device: &wgpu::Device, path: &Path) -> Result<(), ShaderError> {
        let name = self.name;
        let wgsl = fs::read_text(path, LARGEST).map_err(|source| ShaderError::Read {
            name,
            source,
            path: path.to_owned(),
        })?;
        self.pipeline = compile(device, name, &wgsl, &self.build)?;
        Ok(())
    }
}

/// Compiles inside an error scope: nobody else may see errors of a device that is shared.
fn compile(
    device: &wgpu::Device,
    name: &'static str,
    wgsl: &str,
    build: &Build,
) -> Result<wgpu::RenderPipeline, ShaderError> {
    check(name, wgsl)?;
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
    let pipeline = build(device, &module);
    match ready(scope.pop()) {
        Some(Some(error)) => Err(ShaderError::Invalid { name, message: error.to_string() }),
        Some(None) | None => Ok(pipeline),
    }
}

/// What a future gives at once; error scopes of native devices do.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// A file whose time of change is looked at now and then.
struct FileWatch {
    path: PathBuf,
    modified: Option<SystemTime>,
    looked: Instant,
}

impl FileWatch {
    const INTERVAL: Duration = Duration::from_millis(250);

    fn of(path: PathBuf) -> Self {
        Self { modified: None, path, looked: Instant::now() }
    }

    fn is_due(&mut self) -> bool {
        let due = self.looked.elapsed() >= Self::INTERVAL;
        if due {
            self.looked = Instant::now();
        }
        due
    }

    /// Whether the file is there and another one than at the last look, or seen for the first time.
    fn has_changed(&mut self) -> bool {
        let now = modified(&self.path);
        let changed = now.is_some() && now != self.modified;
        self.modified = now.or(self.modified);
        changed
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::device;

    const EMPTY: &str = "@vertex fn vs_main() -> @builtin(position) vec4<f32> { \
        return vec4<f32>(0.0); }\n@fragment fn fs_gamma() -> @location(0) vec4<f32> { \
        return vec4<f32>(1.0); }";

    fn build(device: &wgpu::Device, module: &wgpu::ShaderModule) -> wgpu::RenderPipeline {
        let target = crate::render::Target { format: wgpu::TextureFormat::Rgba8Unorm };
        target.pipeline(device, "empty", module, &[], &[], &[])
    }

    #[test]
    fn every_shader_is_valid() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
        let mut seen = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let wgsl = std::fs::read_to_string(&path).unwrap();
            assert!(check("file", &wgsl).is_ok(), "{}", path.display());
            seen += 1;
        }
        assert!(seen >= 2);
    }

    #[test]
    fn a_fault_is_named_with_its_line() {
        let error = check("broken", "fn f() { let x = ; }").unwrap_err();
        assert!(matches!(error, ShaderError::Parse { .. }));
        assert!(error.to_string().contains("wgsl:1"), "{error}");
        let error = check("broken", "fn f() -> f32 { return 1u; }").unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
    }

    #[test]
    fn a_broken_edit_keeps_the_old_pipeline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("live.wgsl");
        std::fs::write(&path, EMPTY).unwrap();
        let (device, _) = device();
        let mut live = LivePipeline::new(&device, "live", EMPTY, build).unwrap();
        let first = live.get().clone();

        std::fs::write(&path, "fn f( {").unwrap();
        assert!(matches!(live.reload(&device, &path), Err(ShaderError::Parse { .. })));
        // Valid by itself, but not with its pipeline: only the device can tell.
        std::fs::write(&path, EMPTY.replace("fs_gamma", "other")).unwrap();
        assert!(matches!(live.reload(&device, &path), Err(ShaderError::Invalid { .. })));
        assert_eq!(*live.get(), first);

        std::fs::write(&path, EMPTY).unwrap();
        live.reload(&device, &path).unwrap();
        assert_ne!(*live.get(), first);
    }

    #[test]
    fn a_file_counts_when_it_is_first_seen_and_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = FileWatch::of(folder.path().join("live.wgsl"));
        assert!(!watch.is_due() && !watch.has_changed());
        std::fs::write(&watch.path, EMPTY).unwrap();
        assert!(watch.has_changed() && !watch.has_changed());
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options()
            .append(true)
            .open(&watch.path)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert!(watch.has_changed() && !watch.has_changed());
    }
}

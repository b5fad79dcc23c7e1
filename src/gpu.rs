//! The one device that Burn and egui share, and the choice of where to compute.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use thiserror::Error;

/// Where to compute, as asked for on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, the CPU otherwise.
    #[default]
    Auto,
    /// The best adapter there is, a software one too.
    Gpu,
    /// The CPU backend.
    Cpu,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "gpu" => Ok(Self::Gpu),
            "cpu" => Ok(Self::Cpu),
            other => Err(format!("unknown device `{other}`; there are `auto`, `gpu` and `cpu`")),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        })
    }
}

/// No device of the kind asked for.
#[derive(Clone, Debug, Error)]
#[error("no GPU could be opened ({0}); install a Vulkan driver or use --device cpu")]
pub struct GpuError(String);

/// A device to compute on.
#[derive(Clone, Debug)]
pub struct Compute {
    /// Burn's handle.
    pub device: Device,
    /// What a person calls it: the adapter's name, or `CPU`.
    pub label: String,
}

/// Burn's wgpu device and the handles behind it, opened once for the whole program.
static SHARED: OnceLock<Result<(Device, WgpuSetup), GpuError>> = OnceLock::new();

/// Opens the device that was asked for.
///
/// # Errors
/// If a GPU was asked for and none can be opened.
pub fn compute(choice: DeviceChoice) -> Result<Compute, GpuError> {
    if !is_gpu(choice) {
        return Ok(Compute { device: Device::flex(), label: "CPU".into() });
    }
    let (device, setup) = shared()?;
    Ok(Compute { device: device.clone(), label: setup.adapter.get_info().name })
}

/// Whether a choice comes down to a GPU on this machine.
pub fn is_gpu(choice: DeviceChoice) -> bool {
    match choice {
        DeviceChoice::Cpu => false,
        DeviceChoice::Gpu => true,
        DeviceChoice::Auto => has_hardware_gpu(),
    }
}

/// The shared wgpu device with the handles that a window needs, opened at the first call.
///
/// # Errors
/// If no adapter can be opened.
pub fn shared() -> Result<&'static (Device, WgpuSetup), GpuError> {
    let open =
        || Device::wgpu_options().init_with_setup().map_err(|error| GpuError(error.to_string()));
    SHARED.get_or_init(|| without_runtime_dir_notes(open)).as_ref().map_err(Clone::clone)
}

/// Whether some adapter is a real GPU: software rasterisers compute slower than the CPU backend.
pub fn has_hardware_gpu() -> bool {
    may_have_gpu()
        && adapters().iter().any(|adapter| {
            use wgpu::DeviceType::{DiscreteGpu, IntegratedGpu, VirtualGpu};
            matches!(adapter.device_type, DiscreteGpu | IntegratedGpu | VirtualGpu)
        })
}

/// Where Linux has the device files of GPUs (kernel drivers, NVIDIA's, WSL's, Mali's, Adreno's): with
/// none of these no driver need be loaded to know that there is no GPU.
#[cfg(target_os = "linux")]
const DEVICE_FILES: [&str; 5] =
    ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/mali0", "/dev/kgsl-3d0"];

#[cfg(target_os = "linux")]
fn may_have_gpu() -> bool {
    DEVICE_FILES.iter().any(|file| std::path::Path::new(file).exists())
}

/// Elsewhere only the adapters tell.
#[cfg(not(target_os = "linux"))]
fn may_have_gpu() -> bool {
    true
}

/// The adapters there are, software ones too, looked for once. Without OpenGL, whose libraries
/// complain on stderr where there is no display.
pub fn adapters() -> &'static [wgpu::AdapterInfo] {
    static FOUND: OnceLock<Vec<wgpu::AdapterInfo>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::PRIMARY;
        without_runtime_dir_notes(|| {
            let adapters = wgpu::Instance::new(options).enumerate_adapters(wgpu::Backends::PRIMARY);
            burn::tensor::read_sync(adapters).iter().map(wgpu::Adapter::get_info).collect()
        })
    })
}

/// Loads drivers without what Mesa prints to stderr, once for each, where there is no folder for the
/// sockets of a session: it looks for a Wayland display that nobody asked for. All else that is printed
/// meanwhile is printed after it.
fn without_runtime_dir_notes<T>(load: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none_or(|dir| !std::path::Path::new(&dir).is_dir())
        && let Ok(filter) =
            stderr_filter::StderrFilter::start(|line| !line.contains("XDG_RUNTIME_DIR"))
    {
        let loaded = load();
        filter.stop();
        return loaded;
    }
    load()
}

/// Standard error by way of a filter, for libraries that write to it themselves.
#[cfg(target_os = "linux")]
mod stderr_filter {
    use std::fs::File;
    use std::io::{BufRead as _, BufReader, Error, PipeReader, Result, Write as _, pipe};
    use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
    use std::thread::JoinHandle;

    /// Standard error is a pipe until this is stopped.
    pub(super) struct StderrFilter {
        original: OwnedFd,
        reader: JoinHandle<()>,
    }

    impl StderrFilter {
        /// Has only those lines pass that `passes` lets.
        pub(super) fn start(passes: fn(&str) -> bool) -> Result<Self> {
            let original = std::io::stderr().as_fd().try_clone_to_owned()?;
            let out = File::from(original.try_clone()?);
            let (read, write) = pipe()?;
            let pass_on = move || pass_on(read, out, passes);
            let reader = std::thread::Builder::new().name("stderr".into()).spawn(pass_on)?;
            replace_stderr(write.as_fd())?;
            // The pipe's other end is standard error alone now: put back, it closes the pipe.
            Ok(Self { original, reader })
        }

        /// Puts standard error back; what was written meanwhile is on its way by then.
        pub(super) fn stop(self) {
            let put_back = replace_stderr(self.original.as_fd());
            if put_back.is_ok() {
                // A filter that panicked has nothing more to pass on.
                self.reader.join().ok();
            }
        }
    }

    fn pass_on(read: PipeReader, mut out: File, passes: fn(&str) -> bool) {
        for line in BufReader::new(read).split(b'\n').map_while(Result::ok) {
            if passes(&String::from_utf8_lossy(&line)) {
                // Nobody is told if standard error itself fails.
                out.write_all(&[&line[..], b"\n"].concat()).ok();
            }
        }
    }

    #[allow(unsafe_code, reason = "no safe function puts one file in the place of another")]
    fn replace_stderr(with: BorrowedFd<'_>) -> Result<()> {
        // SAFETY: both descriptors are open, and standard error stays one throughout: `dup2` closes the
        // old file and opens the new one in one step, so that writers on other threads find either.
        match unsafe { libc::dup2(with.as_raw_fd(), libc::STDERR_FILENO) } {
            -1 => Err(Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

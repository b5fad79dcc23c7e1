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
    SHARED.get_or_init(open).as_ref().map_err(Clone::clone)
}

/// Whether some adapter is a real GPU: software rasterisers compute slower than the CPU backend.
pub fn has_hardware_gpu() -> bool {
    adapters().iter().any(|adapter| {
        use wgpu::DeviceType::{DiscreteGpu, IntegratedGpu, VirtualGpu};
        matches!(adapter.device_type, DiscreteGpu | IntegratedGpu | VirtualGpu)
    })
}

/// The adapters there are, software ones too, looked for once. Without OpenGL, whose libraries
/// complain on stderr where there is no display.
pub fn adapters() -> &'static [wgpu::AdapterInfo] {
    static FOUND: OnceLock<Vec<wgpu::AdapterInfo>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::PRIMARY;
        let adapters = wgpu::Instance::new(options).enumerate_adapters(wgpu::Backends::PRIMARY);
        burn::tensor::read_sync(adapters).iter().map(wgpu::Adapter::get_info).collect()
    })
}

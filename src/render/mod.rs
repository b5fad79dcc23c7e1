//! What the window draws with its own shaders, as egui paint callbacks: [`heatmap()`], maps over
//! images, and [`points()`], scatter plots of up to a million points.
//!
//! [`install`] once with the window's render state; from then on both functions add a shape to an
//! [`egui::Painter`]. Each shape carries its own small uniform, so that τ,
//! zoom and pan follow in the same frame and any number of shapes may be on the screen; the large
//! data (maps, positions, styles) are shared `Arc`s, uploaded once and dropped from the device
//! when their last `Arc` is gone.
//!
//! Without `install`, or if a shader could not be compiled, nothing is drawn and the log says so
//! once. No feature beyond WebGPU's defaults is used.

mod heatmap;
mod pick;
mod points;
mod shader;
mod upload;
mod view;

use std::sync::Once;

use eframe::egui;
use eframe::egui_wgpu::{CallbackResources, RenderState, ScreenDescriptor, wgpu};

pub use heatmap::{HeatmapLook, Sampling, heatmap, patch_at, patches};
pub use pick::{Picker, inside_lasso};
pub use points::{CLASS_COLORS, PointCloud, PointLook, PointStyle, Shape, points};
pub use shader::{ShaderError, check};
pub use view::View;

/// Prepares a window, or an off-screen renderer, for this module's shapes.
///
/// # Errors
/// If a shader cannot be compiled on this device; the others still work.
pub fn install(state: &RenderState) -> Result<(), ShaderError> {
    let target = Target { format: state.target_format };
    let resources = &mut state.renderer.write().callback_resources;
    let heatmaps = heatmap::install(&state.device, target, resources);
    let points = points::install(&state.device, target, resources);
    heatmaps.and(points)
}

/// What egui draws into: one sample a pixel, no depth.
#[derive(Clone, Copy, Debug)]
struct Target {
    format: wgpu::TextureFormat,
}

impl Target {
    /// A pipeline that blends as egui does, from `vs_main` and the fragment entry point for this
    /// framebuffer, with values for the shader's overridable constants.
    fn pipeline(
        self,
        device: &wgpu::Device,
        label: &str,
        module: &wgpu::ShaderModule,
        groups: &[&wgpu::BindGroupLayout],
        buffers: &[wgpu::VertexBufferLayout<'_>],
        constants: &[(&str, f64)],
    ) -> wgpu::RenderPipeline {
        let groups: Vec<_> = groups.iter().copied().map(Some).collect();
        let buffers: Vec<_> = buffers.iter().cloned().map(Some).collect();
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &groups,
            immediate_size: 0,
        });
        let compilation_options =
            wgpu::PipelineCompilationOptions { constants, ..Default::default() };
        let entry_point = if self.format.is_srgb() { "fs_linear" } else { "fs_gamma" };
        device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(label),
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module,
                entry_point: Some("vs_main"),
                compilation_options: compilation_options.clone(),
                buffers: &buffers,
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module,
                entry_point: Some(entry_point),
                compilation_options,
                targets: &[Some(wgpu::ColorTargetState {
                    format: self.format,
                    blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                    write_mask: wgpu::ColorWrites::ALL,
                })],
            }),
            multiview_mask: None,
            cache: None,
        })
    }
}

/// A uniform buffer with these bytes.
fn uniform_buffer(device: &wgpu::Device, label: &str, bytes: &[u8]) -> wgpu::Buffer {
    use wgpu::util::{BufferInitDescriptor, DeviceExt as _};
    let usage = wgpu::BufferUsages::UNIFORM;
    device.create_buffer_init(&BufferInitDescriptor { label: Some(label), contents: bytes, usage })
}

/// The layout entry of a uniform.
fn uniform_entry(binding: u32, visibility: wgpu::ShaderStages) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}

/// Little-endian bytes of floats, as shaders read them.
fn float_bytes(values: impl IntoIterator<Item = f32>) -> impl Iterator<Item = u8> {
    values.into_iter().flat_map(f32::to_le_bytes)
}

/// Left, top, width and height in pixels.
fn rect_px(rect: egui::Rect, pixels_per_point: f32) -> [f32; 4] {
    [rect.left(), rect.top(), rect.width(), rect.height()].map(|side| side * pixels_per_point)
}

/// A colour as shaders take it: sRGB, premultiplied, 0..1.
fn color_srgb(color: egui::Color32) -> [f32; 4] {
    color.to_array().map(|channel| f32::from(channel) / 255.0)
}

/// A renderer among egui's callback resources; the first time that it is missing is logged.
fn installed<'a, T: 'static>(
    resources: &'a CallbackResources,
    what: &str,
    missing: &Once,
) -> Option<&'a T> {
    let renderer = resources.get();
    if renderer.is_none() {
        missing.call_once(|| log::error!("{what} cannot be drawn: their shader is not installed"));
    }
    renderer
}

/// The viewport that egui sets for a callback over `rect`: rounded, and cut off at the screen.
fn viewport_px(rect: egui::Rect, screen: &ScreenDescriptor) -> [f32; 4] {
    let viewport = egui::epaint::ViewportInPixels::from_points(
        &rect,
        screen.pixels_per_point,
        screen.size_in_pixels,
    );
    [viewport.left_px, viewport.top_px, viewport.width_px, viewport.height_px].map(|px| px as f32)
}

#[cfg(test)]
mod tests;

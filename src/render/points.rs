//! A scatter plot's points, drawn by `shaders/points.wgsl`.

use std::sync::{Arc, Once, OnceLock};

use eframe::egui::{Color32, PaintCallbackInfo, Painter, Rect};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, ScreenDescriptor, wgpu};

use super::shader::{LivePipeline, ShaderError};
use super::upload::Uploads;
use super::{
    Target, View, color_srgb, float_bytes, installed, uniform_buffer, uniform_entry, viewport_px,
};

/// Eight colours that colour-blind readers can tell apart (Okabe and Ito's, black replaced by
/// gray); further classes begin again.
pub const CLASS_COLORS: [Color32; 8] = [
    Color32::from_rgb(0, 114, 178),
    Color32::from_rgb(230, 159, 0),
    Color32::from_rgb(0, 158, 115),
    Color32::from_rgb(204, 121, 167),
    Color32::from_rgb(86, 180, 233),
    Color32::from_rgb(213, 94, 0),
    Color32::from_rgb(240, 228, 66),
    Color32::from_rgb(153, 153, 153),
];

/// Width of the line around stars and selected points, in points.
const OUTLINE_POINTS: f32 = 1.2;
/// Rounds in which points are drawn.
const RANKS: usize = 4;
/// Entries of the palette on the device.
const PALETTE: usize = 256;

/// A point's outline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// In-distribution samples.
    #[default]
    Circle = 0,
    /// Out-of-distribution samples.
    Cross = 1,
    /// Class centers; larger, and with a line around.
    Star = 2,
}

/// How one point is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PointStyle {
    /// Which colour of the palette; begins again after the last.
    pub class: u8,
    /// The outline.
    pub shape: Shape,
    /// Larger, with a line around, on top of the others.
    pub selected: bool,
    /// Gray context below the others, unless selected.
    pub dimmed: bool,
}

impl PointStyle {
    /// Keep in sync with `Instance::style` and the flags in shaders/points.wgsl.
    fn to_bytes(self) -> [u8; 4] {
        let flags = u8::from(self.selected) | u8::from(self.dimmed) << 1;
        [self.class, self.shape as u8, flags, 0]
    }

    /// The round that draws it. Keep in sync with `rank_of` in shaders/points.wgsl.
    fn rank(self) -> usize {
        match (self.selected, self.dimmed, self.shape) {
            (true, ..) => 3,
            (false, false, Shape::Circle | Shape::Star) => 2,
            (false, false, Shape::Cross) => 1,
            (false, true, _) => 0,
        }
    }
}

/// Points to draw. Clones are cheap; each part goes to the device when its `Arc` is seen for the
/// first time, so that an animation uploads positions alone, and a selection styles alone.
#[derive(Clone, Debug)]
pub struct PointCloud {
    /// Where the points are, `[points]` in data space; those that are not finite are not drawn.
    pub positions: Arc<[[f32; 2]]>,
    /// How they are drawn, `[points]`; points without a style are not drawn.
    pub styles: Arc<[PointStyle]>,
}

/// How a whole cloud is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct PointLook {
    /// Radius of a circle in screen points.
    pub radius: f32,
    /// Opacity of points that are neither selected nor dimmed, 0 to 1.
    pub opacity: f32,
    /// Colours of the classes, the first 256 of them.
    pub palette: Arc<[Color32]>,
    /// Colour of dimmed points.
    pub dimmed: Color32,
    /// Colour of the line around stars and selected points.
    pub outline: Color32,
}

impl Default for PointLook {
    fn default() -> Self {
        Self {
            radius: 3.0,
            opacity: 0.8,
            palette: Arc::from(CLASS_COLORS),
            dimmed: Color32::from_rgba_unmultiplied(128, 128, 128, 70),
            outline: Color32::BLACK,
        }
    }
}

/// Draws a cloud in `rect`, cut off at its border and at the painter's clip rectangle.
pub fn points(painter: &Painter, rect: Rect, cloud: &PointCloud, view: View, analysis: &PointLook) {
    let visible = rect.intersect(painter.clip_rect());
    if !visible.is_positive() || cloud.positions.is_empty() || cloud.styles.is_empty() {
        return;
    }
    let (cloud, analysis) = (cloud.clone(), analysis.clone());
    let shape = PointsShape { rect, visible, cloud, view, analysis, ready: OnceLock::new() };
    let callback = Callback::new_paint_callback(visible, shape);
    painter.with_clip_rect(visible).add(callback);
}

/// Compiles the shader and leaves the renderer among egui's callback resources.
pub(super) fn install(
    device: &wgpu::Device,
    target: Target,
    resources: &mut CallbackResources,
) -> Result<(), ShaderError> {
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("points"),
        entries: &[uniform_entry(0, wgpu::ShaderStages::VERTEX_FRAGMENT)],
    });
    let group_layout = layout.clone();
    let build = move |device: &wgpu::Device, module: &wgpu::ShaderModule| {
        let instance = |array_stride, attributes| wgpu::VertexBufferLayout {
            array_stride,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes,
        };
        let position = wgpu::vertex_attr_array![0 => Float32x2];
        let style = wgpu::vertex_attr_array![1 => Uint8x4];
        let buffers = [instance(8, &position), instance(4, &style)];
        target.pipeline(device, "points", module, &[&group_layout], &buffers, &[])
    };
    let wgsl = include_str!("../../shaders/points.wgsl");
    let pipeline = LivePipeline::new(device, "points", wgsl, build)?;
    let (positions, styles) = (Uploads::default(), Uploads::default());
    resources.insert(Points { pipeline, layout, positions, styles });
    Ok(())
}

/// What all clouds share on the device.
struct Points {
    pipeline: LivePipeline,
    layout: wgpu::BindGroupLayout,
    positions: Uploads<[f32; 2], wgpu::Buffer>,
    styles: Uploads<PointStyle, (wgpu::Buffer, [bool; RANKS])>,
}

/// One cloud on the screen.
struct PointsShape {
    rect: Rect,
    visible: Rect,
    cloud: PointCloud,
    view: View,
    analysis: PointLook,
    /// Made before painting.
    ready: OnceLock<PointsReady>,
}

struct PointsReady {
    group: wgpu::BindGroup,
    positions: wgpu::Buffer,
    styles: wgpu::Buffer,
    /// Which rounds have points: dimmed, crosses, plain, selected.
    ranks: [bool; RANKS],
}

impl CallbackTrait for PointsShape {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(points) = resources.get_mut::<Points>() else { return Vec::new() };
        points.pipeline.follow_file(device);
        let PointCloud { positions, styles } = &self.cloud;
        let positions = points.positions.get(positions, |spare| {
            let drawable = positions.iter().copied().map(or_far_away);
            let bytes: Vec<u8> = float_bytes(drawable.flatten()).collect();
            upload(device, queue, "point positions", &bytes, spare)
        });
        let (styles, ranks) = points.styles.get(styles, |spare| {
            let bytes: Vec<u8> = styles.iter().flat_map(|style| style.to_bytes()).collect();
            let mut ranks = [false; RANKS];
            styles.iter().for_each(|style| ranks[style.rank()] = true);
            let spare = spare.map(|(buffer, _)| buffer);
            (upload(device, queue, "point styles", &bytes, spare), ranks)
        });
        let viewport = viewport_px(self.visible, screen);
        let uniform = self.uniform(viewport, screen.pixels_per_point);
        let uniform = uniform_buffer(device, "points", &uniform.to_bytes());
        self.ready.get_or_init(|| {
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("points"),
                layout: &points.layout,
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: uniform.as_entire_binding(),
                }],
            });
            PointsReady { group, positions, styles, ranks }
        });
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        static MISSING: Once = Once::new();
        let points = installed::<Points>(resources, "points", &MISSING);
        let (Some(points), Some(ready)) = (points, self.ready.get()) else { return };
        let count = self.cloud.positions.len().min(self.cloud.styles.len());
        let Ok(count) = u32::try_from(count) else { return };
        pass.set_pipeline(points.pipeline.get());
        pass.set_bind_group(0, &ready.group, &[]);
        pass.set_vertex_buffer(0, ready.positions.slice(..));
        pass.set_vertex_buffer(1, ready.styles.slice(..));
        for (rank, _) in (0u32..).zip(ready.ranks).filter(|(_, any)| *any) {
            // The vertex index tells the shader which round this is.
            pass.draw(rank * 3..rank * 3 + 3, 0..count);
        }
    }
}

impl PointsShape {
    fn uniform(&self, viewport_px: [f32; 4], pixels_per_point: f32) -> PointsUniform {
        let (analysis, view) = (&self.analysis, &self.view);
        let scale_px = view.scale * pixels_per_point;
        let mut palette_srgb = [[0.0; 4]; PALETTE];
        for (entry, color) in palette_srgb.iter_mut().zip(analysis.palette.iter()) {
            *entry = color_srgb(*color);
        }
        PointsUniform {
            viewport_px,
            center: view.center,
            scale_px: [scale_px, -scale_px],
            center_px: (self.rect.center() * pixels_per_point).into(),
            radius_px: analysis.radius * pixels_per_point,
            opacity: analysis.opacity.clamp(0.0, 1.0),
            dimmed_srgb: color_srgb(analysis.dimmed),
            outline_srgb: color_srgb(analysis.outline),
            outline_px: OUTLINE_POINTS * pixels_per_point,
            palette_len: analysis.palette.len().min(PALETTE) as u32,
            padding: [0; 2],
            palette_srgb,
        }
    }
}

/// A position that is not finite becomes one that no view reaches: shaders need not know NaN.
fn or_far_away(at: [f32; 2]) -> [f32; 2] {
    if at.iter().all(|side| side.is_finite()) { at } else { [1e20; 2] }
}

/// A vertex buffer with these bytes; one of the same size that nobody needs is written over.
fn upload(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    label: &str,
    bytes: &[u8],
    spare: Option<wgpu::Buffer>,
) -> wgpu::Buffer {
    let size = bytes.len() as u64;
    let fresh = || {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::VERTEX | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let buffer = spare.filter(|buffer| buffer.size() == size).unwrap_or_else(fresh);
    queue.write_buffer(&buffer, 0, bytes);
    buffer
}

/// Keep in sync with `Points` in shaders/points.wgsl.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct PointsUniform {
    viewport_px: [f32; 4],
    center: [f32; 2],
    scale_px: [f32; 2],
    center_px: [f32; 2],
    radius_px: f32,
    opacity: f32,
    dimmed_srgb: [f32; 4],
    outline_srgb: [f32; 4],
    outline_px: f32,
    palette_len: u32,
    padding: [u32; 2],
    palette_srgb: [[f32; 4]; PALETTE],
}

impl PointsUniform {
    fn to_bytes(self) -> Vec<u8> {
        let pairs = [self.center, self.scale_px, self.center_px, [self.radius_px, self.opacity]];
        float_bytes(self.viewport_px.into_iter().chain(pairs.into_iter().flatten()))
            .chain(float_bytes([self.dimmed_srgb, self.outline_srgb].into_iter().flatten()))
            .chain(self.outline_px.to_le_bytes())
            .chain(self.palette_len.to_le_bytes())
            .chain(self.padding.into_iter().flat_map(u32::to_le_bytes))
            .chain(float_bytes(self.palette_srgb.into_iter().flatten()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;
    use crate::render::tests::struct_layout;

    #[test]
    fn the_uniform_is_laid_out_as_in_the_shader() {
        let wgsl = include_str!("../../shaders/points.wgsl");
        let (span, offsets) = struct_layout(wgsl, "Points");
        assert_eq!(span, size_of::<PointsUniform>());
        let expected = [
            ("viewport_px", offset_of!(PointsUniform, viewport_px)),
            ("center", offset_of!(PointsUniform, center)),
            ("scale_px", offset_of!(PointsUniform, scale_px)),
            ("center_px", offset_of!(PointsUniform, center_px)),
            ("radius_px", offset_of!(PointsUniform, radius_px)),
            ("opacity", offset_of!(PointsUniform, opacity)),
            ("dimmed_srgb", offset_of!(PointsUniform, dimmed_srgb)),
            ("outline_srgb", offset_of!(PointsUniform, outline_srgb)),
            ("outline_px", offset_of!(PointsUniform, outline_px)),
            ("palette_len", offset_of!(PointsUniform, palette_len)),
            ("padding", offset_of!(PointsUniform, padding)),
            ("palette_srgb", offset_of!(PointsUniform, palette_srgb)),
        ];
        assert_eq!(offsets, expected.map(|(name, offset)| (name.to_owned(), offset)));
        let uniform = PointsShape {
            rect: Rect::ZERO,
            visible: Rect::ZERO,
            cloud: PointCloud { positions: Arc::from([]), styles: Arc::from([]) },
            view: View::default(),
            analysis: PointLook::default(),
            ready: OnceLock::new(),
        }
        .uniform([0.0; 4], 1.0);
        assert_eq!(uniform.to_bytes().len(), span);
    }
}

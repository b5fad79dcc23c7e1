//! A map of relevance over its image, drawn by `shaders/heatmap.wgsl`.

use std::sync::{Arc, Once, OnceLock};

use eframe::egui::{PaintCallbackInfo, Painter, Pos2, Rect};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, ScreenDescriptor, wgpu};

use super::shader::{LivePipeline, ShaderError};
use super::upload::Uploads;
use super::{Target, float_bytes, installed, rect_px, uniform_buffer, uniform_entry};
use crate::colormap::VIRIDIS_SRGB;

/// Width of the contour and of the hovered outline, without their dark edges, in points.
const LINE_POINTS: f32 = 1.5;
/// The widest texture that every device takes.
const MAX_GRID: usize = 2048;

/// How values between a map's positions are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Each position's value over its whole patch: what the method sees.
    Nearest = 0,
    /// Linear between the middles of patches.
    Bilinear = 1,
    /// Catmull–Rom between the middles of patches, cut off at 0 and 1.
    #[default]
    Bicubic = 2,
}

/// How a map is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatmapLook {
    /// Relevance above which a position is kept, 0 to 1.
    pub tau: f32,
    /// How much of the colours shows over the image, 0 to 1.
    pub opacity: f32,
    /// How values between positions are made.
    pub sampling: Sampling,
    /// How dark the image gets at and below τ, 0 to 1; at 0 the colours show there too.
    pub dim: f32,
    /// Whether the contour of τ is drawn.
    pub contour: bool,
    /// Column and row of the position whose patch is outlined.
    pub hovered: Option<[u32; 2]>,
}

impl Default for HeatmapLook {
    fn default() -> Self {
        Self {
            tau: 0.5,
            opacity: 0.55,
            sampling: Sampling::default(),
            dim: 0.45,
            contour: true,
            hovered: None,
        }
    }
}

/// A map's patches, `[grid · grid]` row-major, and the grid's side. A map is these alone, or one
/// value more: the global token's, in front. `None` if the patches make no square.
pub fn patches(map: &[f32]) -> Option<(&[f32], usize)> {
    let square = |patches: &[f32]| {
        let grid = patches.len().isqrt();
        (grid > 0 && grid * grid == patches.len()).then_some(grid)
    };
    let without_global = map.get(1..).unwrap_or_default();
    [map, without_global].into_iter().find_map(|patches| Some((patches, square(patches)?)))
}

/// Column and row of the patch under `pointer`, for an image shown in `rect`.
pub fn patch_at(rect: Rect, grid: usize, pointer: Pos2) -> Option<[u32; 2]> {
    let inside = rect.is_positive() && rect.contains(pointer) && grid > 0;
    inside.then(|| {
        let share = (pointer - rect.min) / rect.size();
        [share.x, share.y].map(|share| ((share * grid as f32) as u32).min(grid as u32 - 1))
    })
}

/// Draws a map over the image shown in `rect`, which may reach beyond the painter's clip rectangle.
///
/// `map` is `[grid · grid]` or `[1 + grid · grid]`, values in 0..1; it goes to the device when this
/// `Arc` is seen for the first time. Nothing is drawn of a map that is not square.
pub fn heatmap(painter: &Painter, rect: Rect, map: &Arc<[f32]>, analysis: &HeatmapLook) {
    let visible = rect.intersect(painter.clip_rect());
    let drawable = patches(map).is_some_and(|(_, grid)| grid <= MAX_GRID);
    if !visible.is_positive() || !drawable {
        return;
    }
    let (map, analysis) = (Arc::clone(map), analysis.clone());
    let shape = HeatmapShape { rect, map, analysis, group: OnceLock::new() };
    painter.add(Callback::new_paint_callback(visible, shape));
}

/// Compiles the shader and leaves the renderer among egui's callback resources.
pub(super) fn install(
    device: &wgpu::Device,
    target: Target,
    resources: &mut CallbackResources,
) -> Result<(), ShaderError> {
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("heatmap"),
        entries: &[
            uniform_entry(0, wgpu::ShaderStages::FRAGMENT),
            wgpu::BindGroupLayoutEntry {
                binding: 1,
                visibility: wgpu::ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: false },
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
                count: None,
            },
        ],
    });
    let pipeline = |sampling: Sampling| {
        let layout = layout.clone();
        let build = move |device: &wgpu::Device, module: &wgpu::ShaderModule| {
            let constants = [("SAMPLING", f64::from(sampling as u8))];
            target.pipeline(device, "heatmap", module, &[&layout], &[], &constants)
        };
        LivePipeline::new(device, "heatmap", include_str!("../../shaders/heatmap.wgsl"), build)
    };
    let pipelines =
        [pipeline(Sampling::Nearest)?, pipeline(Sampling::Bilinear)?, pipeline(Sampling::Bicubic)?];
    resources.insert(Heatmaps { pipelines, layout, maps: Uploads::default() });
    Ok(())
}

/// What all heatmaps share on the device.
struct Heatmaps {
    /// One for each [`Sampling`], in its order.
    pipelines: [LivePipeline; 3],
    layout: wgpu::BindGroupLayout,
    maps: Uploads<f32, wgpu::TextureView>,
}

/// One heatmap on the screen.
struct HeatmapShape {
    rect: Rect,
    map: Arc<[f32]>,
    analysis: HeatmapLook,
    /// Made before painting.
    group: OnceLock<wgpu::BindGroup>,
}

impl CallbackTrait for HeatmapShape {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(heatmaps) = resources.get_mut::<Heatmaps>() else { return Vec::new() };
        heatmaps.pipelines[self.analysis.sampling as usize].follow_file(device);
        let map = heatmaps.maps.get(&self.map, |_| upload(device, queue, &self.map));
        let uniform = HeatmapUniform::new(self.rect, &self.analysis, screen.pixels_per_point);
        let uniform = uniform_buffer(device, "heatmap", &uniform.to_bytes());
        self.group.get_or_init(|| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("heatmap"),
                layout: &heatmaps.layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                    wgpu::BindGroupEntry {
                        binding: 1,
                        resource: wgpu::BindingResource::TextureView(&map),
                    },
                ],
            })
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
        let heatmaps = installed::<Heatmaps>(resources, "heatmaps", &MISSING);
        let (Some(heatmaps), Some(group)) = (heatmaps, self.group.get()) else { return };
        pass.set_pipeline(heatmaps.pipelines[self.analysis.sampling as usize].get());
        pass.set_bind_group(0, group, &[]);
        pass.draw(0..3, 0..1);
    }
}

/// A texture of one 32-bit float for each patch.
fn upload(device: &wgpu::Device, queue: &wgpu::Queue, map: &[f32]) -> wgpu::TextureView {
    let (patches, grid) = patches(map).unwrap_or((&[0.0], 1));
    let side = grid as u32;
    let size = wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("relevance map"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R32Float,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let bytes: Vec<u8> = float_bytes(patches.iter().copied()).collect();
    let rows = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(side * 4),
        rows_per_image: None,
    };
    queue.write_texture(texture.as_image_copy(), &bytes, rows, size);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

/// Keep in sync with `Heatmap` in shaders/heatmap.wgsl.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct HeatmapUniform {
    rect_px: [f32; 4],
    tau: f32,
    opacity: f32,
    dim: f32,
    line_px: f32,
    hovered: [i32; 2],
    contour: u32,
    padding: u32,
    colors_srgb: [[f32; 4]; 9],
}

impl HeatmapUniform {
    fn new(rect: Rect, analysis: &HeatmapLook, pixels_per_point: f32) -> Self {
        let hovered = analysis.hovered.map(|cell| cell.map(|at| i32::try_from(at).unwrap_or(-1)));
        Self {
            rect_px: rect_px(rect, pixels_per_point),
            tau: analysis.tau,
            opacity: analysis.opacity.clamp(0.0, 1.0),
            dim: analysis.dim.clamp(0.0, 1.0),
            line_px: LINE_POINTS * pixels_per_point,
            hovered: hovered.unwrap_or([-1, -1]),
            contour: u32::from(analysis.contour),
            padding: 0,
            colors_srgb: VIRIDIS_SRGB
                .map(|[r, g, b]| [r, g, b, 255].map(|channel| f32::from(channel) / 255.0)),
        }
    }

    fn to_bytes(self) -> Vec<u8> {
        let numbers = [self.tau, self.opacity, self.dim, self.line_px];
        float_bytes(self.rect_px.into_iter().chain(numbers))
            .chain(self.hovered.into_iter().flat_map(i32::to_le_bytes))
            .chain([self.contour, self.padding].into_iter().flat_map(u32::to_le_bytes))
            .chain(float_bytes(self.colors_srgb.into_iter().flatten()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use eframe::egui::{pos2, vec2};

    use super::*;
    use crate::render::tests::struct_layout;

    #[test]
    fn the_uniform_is_laid_out_as_in_the_shader() {
        let wgsl = include_str!("../../shaders/heatmap.wgsl");
        let (span, offsets) = struct_layout(wgsl, "Heatmap");
        assert_eq!(span, size_of::<HeatmapUniform>());
        let uniform = HeatmapUniform::new(Rect::ZERO, &HeatmapLook::default(), 1.0);
        assert_eq!(uniform.to_bytes().len(), span);
        let expected = [
            ("rect_px", offset_of!(HeatmapUniform, rect_px)),
            ("tau", offset_of!(HeatmapUniform, tau)),
            ("opacity", offset_of!(HeatmapUniform, opacity)),
            ("dim", offset_of!(HeatmapUniform, dim)),
            ("line_px", offset_of!(HeatmapUniform, line_px)),
            ("hovered", offset_of!(HeatmapUniform, hovered)),
            ("contour", offset_of!(HeatmapUniform, contour)),
            ("padding", offset_of!(HeatmapUniform, padding)),
            ("colors_srgb", offset_of!(HeatmapUniform, colors_srgb)),
        ];
        assert_eq!(offsets, expected.map(|(name, offset)| (name.to_owned(), offset)));
    }

    #[test]
    fn maps_come_with_and_without_the_global_token() {
        assert_eq!(patches(&[0.1, 0.2, 0.3, 0.4]), Some((&[0.1, 0.2, 0.3, 0.4][..], 2)));
        assert_eq!(patches(&[9.0, 0.1, 0.2, 0.3, 0.4]), Some((&[0.1, 0.2, 0.3, 0.4][..], 2)));
        assert_eq!(patches(&[0.5]), Some((&[0.5][..], 1)));
        assert_eq!(patches(&[]), None);
        assert_eq!(patches(&[0.0; 3]), None);
        assert_eq!(patches(&[0.0; 145]).map(|(_, grid)| grid), Some(12));
    }

    #[test]
    fn the_patch_under_the_pointer() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(100.0, 50.0));
        assert_eq!(patch_at(rect, 10, pos2(10.0, 20.0)), Some([0, 0]));
        assert_eq!(patch_at(rect, 10, pos2(35.0, 61.0)), Some([2, 8]));
        assert_eq!(patch_at(rect, 10, rect.max), Some([9, 9]));
        assert_eq!(patch_at(rect, 10, pos2(9.0, 30.0)), None);
        assert_eq!(patch_at(rect, 0, pos2(20.0, 30.0)), None);
    }
}

//! A canvas that is an SVG file.

use super::canvas::{Anchor, Canvas, Rgb, Stroke, TextLook};

/// An SVG file in the making.
#[derive(Debug)]
pub struct Svg {
    body: String,
    clips: usize,
}

impl Svg {
    /// An empty white sheet of this size, in points; `title` is for readers that cannot see it.
    pub fn new(size: [f32; 2], title: &str) -> Self {
        let [width, height] = size;
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"Helvetica, Arial, \
             sans-serif\">\n<title>{}</title>\n",
            escaped(title)
        );
        let mut svg = Self { body, clips: 0 };
        svg.rect([0.0; 2], size, [255; 3], 1.0);
        svg
    }

    /// The file's text.
    pub fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    fn add(&mut self, element: &std::fmt::Arguments<'_>) {
        self.body += &format!("{element}\n");
    }
}

/// Two digits after the point are finer than any printer.
fn short(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn places(places: &[[f32; 2]]) -> String {
    let place = |[x, y]: &[f32; 2]| format!("{},{}", short(*x), short(*y));
    places.iter().map(place).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn opacity_of(opacity: f32) -> String {
    if opacity < 1.0 { format!(" fill-opacity=\"{}\"", short(opacity)) } else { String::new() }
}

impl Canvas for Svg {
    fn rect(&mut self, min: [f32; 2], max: [f32; 2], color: Rgb, opacity: f32) {
        let [x, y] = min.map(short);
        let [width, height] = [short(max[0] - min[0]), short(max[1] - min[1])];
        let (color, opacity) = (hex(color), opacity_of(opacity));
        self.add(&format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             fill=\"{color}\"{opacity}/>"
        ));
    }

    fn line(&mut self, through: &[[f32; 2]], stroke: Stroke) {
        let (places, color, width) = (places(through), hex(stroke.color), short(stroke.width));
        let dashes = if stroke.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        self.add(&format_args!(
            "<polyline points=\"{places}\" fill=\"none\" stroke=\"{color}\" \
             stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}/>"
        ));
    }

    fn star_shaped(&mut self, outline: &[[f32; 2]], color: Rgb) {
        let (places, color) = (places(outline), hex(color));
        self.add(&format_args!("<polygon points=\"{places}\" fill=\"{color}\"/>"));
    }

    fn area(&mut self, line: &[[f32; 2]], base: f32, color: Rgb, opacity: f32) {
        let (Some(first), Some(last)) = (line.first(), line.last()) else { return };
        let outline = [line, &[[last[0], base], [first[0], base]]].concat();
        let (places, color, opacity) = (places(&outline), hex(color), opacity_of(opacity));
        self.add(&format_args!("<polygon points=\"{places}\" fill=\"{color}\"{opacity}/>"));
    }

    fn circle(&mut self, center: [f32; 2], radius: f32, color: Rgb, opacity: f32) {
        let ([x, y], radius) = (center.map(short), short(radius));
        let (color, opacity) = (hex(color), opacity_of(opacity));
        self.add(&format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{color}\"{opacity}/>"
        ));
    }

    fn text(&mut self, at: [f32; 2], text: &str, look: TextLook) {
        let [x, y] = at.map(short);
        let (size, color, text) = (short(look.size), hex(look.color), escaped(text));
        let anchor = match look.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turn = if look.upwards {
            format!(" transform=\"rotate(-90 {x} {y})\"")
        } else {
            String::new()
        };
        // Not every reader knows `dominant-baseline`; a third of the height is near the middle.
        let drop = short(look.size * 0.35);
        self.add(&format_args!(
            "<text x=\"{x}\" y=\"{y}\" dy=\"{drop}\" font-size=\"{size}\" fill=\"{color}\" \
             text-anchor=\"{anchor}\"{turn}>{text}</text>"
        ));
    }

    fn begin_clip(&mut self, min: [f32; 2], max: [f32; 2]) {
        self.clips += 1;
        let (id, [x, y]) = (self.clips, min.map(short));
        let [width, height] = [short(max[0] - min[0]), short(max[1] - min[1])];
        self.add(&format_args!(
            "<clipPath id=\"clip{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{height}\"/></clipPath>\n<g clip-path=\"url(#clip{id})\">"
        ));
    }

    fn end_clip(&mut self) {
        self.add(&format_args!("</g>"));
    }
}

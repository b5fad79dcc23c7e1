//! A canvas that is SVG: a file of its own, or a part of a page.

use std::fmt::Write as _;

use super::canvas::{Anchor, Canvas, Corners, Dashes, Stroke, TextLook};
use super::palette::{Color, LIGHT, hex};

/// An SVG picture in the making.
#[derive(Debug)]
pub struct Svg {
    body: String,
    clips: usize,
    in_page: bool,
}

impl Svg {
    /// A file, with an empty white sheet of this size in points; `title` is for readers that cannot
    /// see it.
    pub fn file([width, height]: [f32; 2], title: &str) -> Self {
        let title = escape(title);
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"Helvetica, Arial, \
             sans-serif\">\n<title>{title}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        Self { body, clips: 0, in_page: false }
    }

    /// A part of an HTML page, which says by CSS variables what colours look like, and whose script
    /// shows and hides layers.
    pub fn in_page([width, height]: [f32; 2], label: &str) -> Self {
        let label = escape(label);
        let body =
            format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">\n");
        Self { body, clips: 0, in_page: true }
    }

    /// The text.
    pub fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.body, "{element}").ok();
    }

    fn color(&self, color: Color) -> String {
        if self.in_page { color.css() } else { hex(LIGHT.value(color)) }
    }
}

/// Two digits after the point are finer than any printer.
fn short(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn places(places: &[[f32; 2]]) -> String {
    let place = |[x, y]: &[f32; 2]| format!("{},{}", short(*x), short(*y));
    places.iter().map(place).collect::<Vec<_>>().join(" ")
}

/// Text that is safe inside SVG and HTML, attributes included.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn opacity_of(what: &str, opacity: f32) -> String {
    if opacity < 1.0 { format!(" {what}-opacity=\"{}\"", short(opacity)) } else { String::new() }
}

impl Canvas for Svg {
    fn bars(&mut self, bars: &[Corners], color: Color) {
        let bar = |[min, max]: &Corners| {
            let ([left, top], [right, bottom]) = (min.map(short), max.map(short));
            format!("M{left} {top}H{right}V{bottom}H{left}z")
        };
        let (path, color) = (bars.iter().map(bar).collect::<String>(), self.color(color));
        self.add(format_args!("<path d=\"{path}\" fill=\"{color}\"/>"));
    }

    fn line(&mut self, through: &[[f32; 2]], stroke: Stroke) {
        let (places, color) = (places(through), self.color(stroke.color));
        let (width, opacity) = (short(stroke.width), opacity_of("stroke", stroke.opacity));
        let dashes = match stroke.dashes {
            Dashes::Solid => "",
            Dashes::Dashed => " stroke-dasharray=\"5 4\"",
            Dashes::Dotted => " stroke-dasharray=\"1.5 4\"",
        };
        self.add(format_args!(
            "<polyline points=\"{places}\" fill=\"none\" stroke=\"{color}\" \
             stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}{opacity}/>"
        ));
    }

    fn star_shaped(&mut self, outline: &[[f32; 2]], color: Color) {
        let (places, color) = (places(outline), self.color(color));
        self.add(format_args!("<polygon points=\"{places}\" fill=\"{color}\"/>"));
    }

    fn area(&mut self, line: &[[f32; 2]], base: f32, color: Color, opacity: f32) {
        let (Some(first), Some(last)) = (line.first(), line.last()) else { return };
        let outline = [line, &[[last[0], base], [first[0], base]]].concat();
        let (places, color) = (places(&outline), self.color(color));
        let opacity = opacity_of("fill", opacity);
        self.add(format_args!("<polygon points=\"{places}\" fill=\"{color}\"{opacity}/>"));
    }

    fn circle(&mut self, center: [f32; 2], radius: f32, color: Color, opacity: f32) {
        let ([x, y], radius) = (center.map(short), short(radius));
        let (color, opacity) = (self.color(color), opacity_of("fill", opacity));
        self.add(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{color}\"{opacity}/>"
        ));
    }

    fn text(&mut self, at: [f32; 2], text: &str, look: TextLook) {
        let [x, y] = at.map(short);
        let (size, color, text) = (short(look.size), self.color(look.color), escape(text));
        let anchor = match look.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turn = match look.upwards {
            true => format!(" transform=\"rotate(-90 {x} {y})\""),
            false => String::new(),
        };
        // Not every reader knows `dominant-baseline`; a third of the height is near the middle.
        let drop = short(look.size * 0.35);
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" dy=\"{drop}\" font-size=\"{size}\" fill=\"{color}\" \
             text-anchor=\"{anchor}\"{turn}>{text}</text>"
        ));
    }

    fn begin_clip(&mut self, [min, max]: Corners) {
        // A page holds many pictures, and a name counts for all of it; its data fits its axes.
        if self.in_page {
            return;
        }
        self.clips += 1;
        let (id, [x, y]) = (self.clips, min.map(short));
        let [width, height] = [short(max[0] - min[0]), short(max[1] - min[1])];
        self.add(format_args!(
            "<clipPath id=\"clip{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{height}\"/></clipPath>\n<g clip-path=\"url(#clip{id})\">"
        ));
    }

    fn end_clip(&mut self) {
        if !self.in_page {
            self.add(format_args!("</g>"));
        }
    }

    fn begin_layer(&mut self, thing: usize, chosen: bool) {
        let on = if chosen { " on" } else { "" };
        self.add(format_args!("<g class=\"layer{on}\" data-d=\"{thing}\">"));
    }

    fn end_layer(&mut self) {
        self.add(format_args!("</g>"));
    }
}

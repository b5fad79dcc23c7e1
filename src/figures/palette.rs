//! The colours of data, for light and dark grounds: the window's, the report's and the exports'.

/// An sRGB colour.
pub type Rgb = [u8; 3];

/// What a colour means; the canvas knows the ground and thereby its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Titles and words.
    Ink,
    /// Ticks and frames.
    Weak,
    /// Grid lines.
    Rule,
    /// Lines that data is compared with.
    Mark,
    /// What is chosen.
    Accent,
    /// In-distribution.
    Id,
    /// Out-of-distribution.
    Ood,
    /// One of several curves or sets. They repeat after six, so that a line's dashes or a point's
    /// shape has to tell them apart as well.
    Series(usize),
    /// A colour with no meaning here, the same on every ground.
    Fixed(Rgb),
}

/// The values of the colours on one ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorValues {
    /// Titles and words.
    pub ink: Rgb,
    /// Ticks and frames.
    pub weak: Rgb,
    /// Grid lines.
    pub rule: Rgb,
    /// Lines that data is compared with.
    pub mark: Rgb,
    /// What is chosen.
    pub accent: Rgb,
    /// In-distribution.
    pub id: Rgb,
    /// Out-of-distribution.
    pub ood: Rgb,
    /// Orange, violet, yellow, sky, rose, lime: far apart for colour-blind readers too.
    pub series: [Rgb; 6],
}

const fn rgb(code: u32) -> Rgb {
    [(code >> 16) as u8, (code >> 8) as u8, code as u8]
}

/// On paper and light panels.
pub const LIGHT: ColorValues = ColorValues {
    ink: rgb(0x23_2A_2E),
    weak: rgb(0x52_5F_65),
    rule: rgb(0xE2_E7_E9),
    mark: rgb(0x8B_94_A1),
    accent: rgb(0x17_57_C0),
    id: rgb(0x0A_6B_5C),
    ood: rgb(0x96_48_0A),
    series: [
        rgb(0x96_48_0A),
        rgb(0x6A_3F_C0),
        rgb(0x6B_5C_00),
        rgb(0x0A_5F_90),
        rgb(0xA8_2C_6B),
        rgb(0x42_65_10),
    ],
};

/// On dark panels and pages.
pub const DARK: ColorValues = ColorValues {
    ink: rgb(0xE4_E8_EE),
    weak: rgb(0x98_A2_B0),
    rule: rgb(0x2E_35_3F),
    mark: rgb(0x6D_77_85),
    accent: rgb(0x5B_9D_FF),
    id: rgb(0x3F_C1_A8),
    ood: rgb(0xF2_95_45),
    series: [
        rgb(0xF2_95_45),
        rgb(0xB5_8C_F5),
        rgb(0xE8_D8_5A),
        rgb(0x6F_C3_F2),
        rgb(0xE8_7F_B0),
        rgb(0xA5_CF_6A),
    ],
};

impl ColorValues {
    /// A colour's value.
    pub fn value(&self, color: Color) -> Rgb {
        match color {
            Color::Ink => self.ink,
            Color::Weak => self.weak,
            Color::Rule => self.rule,
            Color::Mark => self.mark,
            Color::Accent => self.accent,
            Color::Id => self.id,
            Color::Ood => self.ood,
            Color::Series(at) => self.series[at % self.series.len()],
            Color::Fixed(rgb) => rgb,
        }
    }

    /// The values as CSS variables, for pages whose ground follows the reader's settings.
    pub fn css_variables(&self) -> String {
        use Color::{Accent, Id, Ink, Mark, Ood, Rule, Series, Weak};
        let series = (0..self.series.len()).map(Series);
        let named = [Ink, Weak, Rule, Mark, Accent, Id, Ood].into_iter().chain(series);
        let variables =
            named.map(|color| format!("{}: {};", color.variable(), hex(self.value(color))));
        variables.collect::<Vec<_>>().join(" ")
    }
}

impl Color {
    fn variable(self) -> String {
        match self {
            Self::Ink => "--ink".into(),
            Self::Weak => "--weak".into(),
            Self::Rule => "--rule".into(),
            Self::Mark => "--mark".into(),
            Self::Accent => "--accent".into(),
            Self::Id => "--id".into(),
            Self::Ood => "--ood".into(),
            Self::Series(at) => format!("--s{}", at % LIGHT.series.len()),
            Self::Fixed(rgb) => hex(rgb),
        }
    }

    /// How a page that has [`ColorValues::css_variables`] names the colour.
    pub fn css(self) -> String {
        match self {
            Self::Fixed(rgb) => hex(rgb),
            color => format!("var({})", color.variable()),
        }
    }
}

/// A colour as in `#0a6b5c`.
pub fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

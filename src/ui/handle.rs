//! A place on a plot that is dragged, moved by keys, and set by assistive tools: a slider without a
//! rail.

use std::ops::RangeInclusive;

use eframe::egui::accesskit::{Action, ActionData};
use eframe::egui::{
    CursorIcon, EventFilter, Id, Key, Modifiers, Pos2, Rect, Response, Sense, Ui, WidgetInfo,
};

/// What a user did with a handle.
pub struct Moved {
    /// The handle's response.
    pub response: Response,
    /// Where it is being dragged to, on the screen.
    pub dragged_to: Option<Pos2>,
    /// The value that keys or assistive tools ask for.
    pub set_to: Option<f64>,
}

/// A handle's value and bounds.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Its accessible name.
    pub label: String,
    /// Its value.
    pub value: f64,
    /// Lowest and highest value.
    pub range: RangeInclusive<f64>,
    /// What an arrow key moves it by.
    pub step: f64,
    /// The pointer over it.
    pub cursor: CursorIcon,
}

impl Handle {
    /// Lets the handle be used within `rect`; drawing it is the caller's.
    pub fn ui(self, ui: &Ui, id: Id, rect: Rect) -> Moved {
        let response = ui.interact(rect, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::slider(true, self.value, &self.label));
        ui.ctx().accesskit_node_builder(id, |node| {
            node.set_min_numeric_value(*self.range.start());
            node.set_max_numeric_value(*self.range.end());
            node.set_numeric_value_step(self.step);
            for action in [Action::SetValue, Action::Increment, Action::Decrement] {
                node.add_action(action);
            }
        });
        if response.clicked() || response.drag_started() {
            response.request_focus();
        }
        let response = response.on_hover_and_drag_cursor(self.cursor);
        let set_to = self.asked(ui, &response);
        let dragged_to = response.dragged().then(|| response.interact_pointer_pos()).flatten();
        Moved { response, dragged_to, set_to }
    }

    fn asked(&self, ui: &Ui, response: &Response) -> Option<f64> {
        let id = response.id;
        if response.has_focus() {
            let arrows = EventFilter {
                horizontal_arrows: true,
                vertical_arrows: true,
                ..EventFilter::default()
            };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
        }
        let focused = response.has_focus();
        let (steps, value) = ui.input_mut(|input| {
            let mut presses = |key: Key| match focused {
                true => input.count_and_consume_key(Modifiers::NONE, key) as f64,
                false => 0.0,
            };
            let up = presses(Key::ArrowRight) + presses(Key::ArrowUp);
            let down = presses(Key::ArrowLeft) + presses(Key::ArrowDown);
            let asked = |action| input.num_accesskit_action_requests(id, action) as f64;
            let steps = up - down + asked(Action::Increment) - asked(Action::Decrement);
            let value = input.accesskit_action_requests(id, Action::SetValue);
            let value = value.filter_map(|request| match request.data {
                Some(ActionData::NumericValue(value)) => Some(value),
                _ => None,
            });
            (steps, value.last())
        });
        let stepped = (steps != 0.0).then_some(self.value + steps * self.step);
        value.or(stepped).map(|value| value.clamp(*self.range.start(), *self.range.end()))
    }
}

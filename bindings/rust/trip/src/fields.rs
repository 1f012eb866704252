//! Configs: how a struct of C's becomes one with durations and enums. Nothing here decides what a field may be: the
//! library refuses what is out of range.

use crate::selector::{Adapt, Backoff, Clock, Effect, Fallback, Jitter, OnDrop, Order, Rule};
use crate::time::nanoseconds;
use std::time::Duration;

/// A field's type here and in C.
pub(crate) trait Field: Copy {
    type Raw;
    fn to_raw(self) -> Self::Raw;
    fn from_raw(raw: Self::Raw) -> Self;
}

macro_rules! field {
    ($type:ty: $raw:ty, $to_raw:expr, $from_raw:expr) => {
        impl Field for $type {
            type Raw = $raw;
            fn to_raw(self) -> $raw {
                $to_raw(self)
            }
            fn from_raw(raw: $raw) -> Self {
                $from_raw(raw)
            }
        }
    };
}

field!(u32: u32, std::convert::identity, std::convert::identity);
field!(u64: u64, std::convert::identity, std::convert::identity);
field!(i32: i32, std::convert::identity, std::convert::identity);
field!(i64: i64, std::convert::identity, std::convert::identity);
field!(f64: f64, std::convert::identity, std::convert::identity);
field!(Duration: u64, nanoseconds, Duration::from_nanos);
field!(Backoff: u32, u32::from, Backoff::from);
field!(OnDrop: u32, u32::from, OnDrop::from);
field!(Clock: u32, u32::from, Clock::from);
field!(Effect: u32, u32::from, Effect::from);
field!(Jitter: u32, u32::from, Jitter::from);
field!(Adapt: u32, u32::from, Adapt::from);
field!(Order: u32, u32::from, Order::from);
field!(Fallback: u32, u32::from, Fallback::from);
field!(Rule: u32, u32::from, Rule::from);

/// A config: its name here and in C, where its defaults come from, and its fields with their names in C.
macro_rules! config {
    (
        $(#[$about:meta])*
        $name:ident: $raw:ident = $defaults:path {
            $($(#[$doc:meta])* $field:ident: $type:ty = $c_field:ident,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl $name {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
                #[must_use]
                pub const fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )+

            pub(crate) fn to_raw(self) -> trip_sys::$raw {
                let mut raw = $defaults();
                $(raw.$c_field = $crate::fields::Field::to_raw(self.$field);)+
                raw
            }

            /// The field that C has at `offset`.
            pub(crate) fn field_at(offset: u32) -> Option<&'static str> {
                match usize::try_from(offset).ok()? {
                    $(at if at == std::mem::offset_of!(trip_sys::$raw, $c_field) => Some(stringify!($field)),)+
                    _ => None,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                let raw = $defaults();
                $name { $($field: $crate::fields::Field::from_raw(raw.$c_field),)+ }
            }
        }
    };
}

pub(crate) use config;

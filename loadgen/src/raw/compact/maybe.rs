//! A number that may be missing, in four bytes.

use std::fmt;

/// `Option<u32>` in the place of a `u32`. The largest number stands for "missing".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Maybe(u32);

impl Maybe {
    /// Missing.
    pub const NONE: Self = Self(u32::MAX);

    /// That number.
    pub const fn some(number: u32) -> Self {
        Self(number)
    }

    /// As an option.
    pub const fn get(self) -> Option<u32> {
        if self.0 == u32::MAX { None } else { Some(self.0) }
    }

    /// So many places further, where it is there.
    #[must_use]
    pub fn moved(self, by: u32) -> Self {
        self.get().map(|number| number + by).into()
    }

    /// It is missing.
    pub const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }

    /// It is there.
    pub const fn is_some(self) -> bool {
        !self.is_none()
    }
}

impl Default for Maybe {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<Option<u32>> for Maybe {
    fn from(number: Option<u32>) -> Self {
        number.map_or(Self::NONE, Self::some)
    }
}

impl fmt::Debug for Maybe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

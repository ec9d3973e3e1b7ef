//! Devices: what a session runs on, how many a subject may have, and who leaves when there are more.

use crate::session::Session;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What kind of thing a session runs on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DeviceClass {
    /// A browser.
    Web,
    /// A native app on a phone or tablet.
    App,
    /// A program inside another app (小程序).
    MiniProgram,
    /// A native program on a computer.
    Desktop,
    /// A thing without a person in front of it.
    Iot,
    /// A service.
    Service,
    /// None of these.
    Other,
}

impl DeviceClass {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Web,
        Self::App,
        Self::MiniProgram,
        Self::Desktop,
        Self::Iot,
        Self::Service,
        Self::Other,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::App => "app",
            Self::MiniProgram => "mini_program",
            Self::Desktop => "desktop",
            Self::Iot => "iot",
            Self::Service => "service",
            Self::Other => "other",
        }
    }

    /// The class that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// What a session runs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its kind.
    pub class: DeviceClass,
    /// The application's own name for it; a new sign-in with the same one replaces the old session.
    pub id: Option<Arc<str>>,
    /// What people call it.
    pub name: Option<Arc<str>>,
}

/// Who leaves when a sign-in makes too many.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Overflow {
    /// The one unused for longest.
    #[default]
    EvictIdle,
    /// The one signed in first.
    EvictOldest,
    /// The newcomer.
    Refuse,
}

impl Overflow {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EvictIdle, Self::EvictOldest, Self::Refuse];

    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EvictIdle => "evict_idle",
            Self::EvictOldest => "evict_oldest",
            Self::Refuse => "refuse",
        }
    }

    /// What a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|overflow| overflow.as_str() == word)
    }
}

/// How many sessions a subject may have through one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevicePolicy {
    /// In all. At least 1. Inclusive. Default: 10.
    pub per_subject: u16,
    /// Of one class, where that is limited. At least 1 each. Inclusive.
    pub per_class: BTreeMap<DeviceClass, u16>,
    /// Who leaves.
    pub overflow: Overflow,
}

/// How many sessions one subject may have, where that is said of it: what is said goes before the settings of each
/// client, and what is not stays as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeviceLimits {
    /// In all. At least 1. Inclusive.
    pub per_subject: Option<u16>,
    /// Of one class. At least 1 each. Inclusive.
    pub per_class: BTreeMap<DeviceClass, u16>,
    /// Who leaves.
    pub overflow: Option<Overflow>,
}

impl DeviceLimits {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl DevicePolicy {
    /// The same for a subject of whom this is said.
    pub fn under(&self, limits: &DeviceLimits) -> Self {
        let mut per_class = self.per_class.clone();
        per_class.extend(&limits.per_class);
        Self {
            per_subject: limits.per_subject.unwrap_or(self.per_subject),
            per_class,
            overflow: limits.overflow.unwrap_or(self.overflow),
        }
    }

    /// Which of a subject's `active` sessions of this client leave so that one on `device` may join;
    /// `None` if the newcomer is refused instead. DESIGN.md §4.7.
    pub fn make_room<'a>(
        &self,
        active: &[&'a Session],
        device: &Device,
    ) -> Option<Vec<&'a Session>> {
        let same = |session: &&&Session| device.id.is_some() && session.device.id == device.id;
        let mut leaving: Vec<_> = active.iter().filter(same).copied().collect();
        let class_max = self.per_class.get(&device.class).copied().unwrap_or(u16::MAX);
        let of_class = |session: &&Session| session.device.class == device.class;
        self.evict(active, &mut leaving, class_max, of_class)?;
        self.evict(active, &mut leaving, self.per_subject, |_| true)?;
        Some(leaving)
    }

    fn evict<'a>(
        &self,
        active: &[&'a Session],
        leaving: &mut Vec<&'a Session>,
        max: u16,
        counts: impl Fn(&&'a Session) -> bool,
    ) -> Option<()> {
        let stays = |session: &&Session| leaving.iter().all(|gone| gone.sid != session.sid);
        let mut staying: Vec<_> = active.iter().copied().filter(stays).filter(&counts).collect();
        let too_many = (staying.len() + 1).saturating_sub(usize::from(max));
        match self.overflow {
            _ if too_many == 0 => return Some(()),
            Overflow::Refuse => return None,
            Overflow::EvictIdle => {
                staying.sort_by_key(|session| (session.last_used_at, session.sid))
            }
            Overflow::EvictOldest => {
                staying.sort_by_key(|session| (session.created_at, session.sid))
            }
        }
        leaving.extend(staying.into_iter().take(too_many));
        Some(())
    }
}

//! A lock that each process has for itself.

use std::sync::{OnceLock, RwLock};

use crate::os;

/// A value behind a lock. A forked child finds its parent's lock as it was at that
/// moment: held, perhaps, by threads that the child has not got, so that it would
/// wait for ever, and with a value that one of them had half changed. So it makes a
/// lock and a value of its own.
#[derive(Debug)]
pub(super) struct PerProcess<T> {
    /// Gone only while it is dropped.
    first: Option<Box<Place<T>>>,
}

#[derive(Debug)]
struct Place<T> {
    /// How often its process, and those that came before it, had been forked.
    forks: u32,
    value: RwLock<T>,
    /// That of a child, or of a child's child.
    next: OnceLock<Box<Self>>,
}

impl<T> Place<T> {
    fn new(forks: u32, value: T) -> Box<Self> {
        Box::new(Self { forks, value: RwLock::new(value), next: OnceLock::new() })
    }
}

impl<T> PerProcess<T> {
    pub(super) fn new(value: T) -> Self {
        os::guard::watch_forks();
        Self { first: Some(Place::new(os::guard::forks(), value)) }
    }

    /// The lock of this process. `inherit` makes a child's value of the parent's,
    /// which is `None` if somebody may have been changing it.
    #[inline]
    pub(super) fn lock(&self, inherit: impl Fn(Option<&T>) -> T) -> &RwLock<T> {
        let forks = os::guard::forks();
        let Some(first) = &self.first else { unreachable!("it is not being dropped") };
        let mut place = first;
        while place.forks != forks {
            place = place.next.get_or_init(|| {
                let before = place.value.try_read().ok();
                Place::new(forks, inherit(before.as_deref()))
            });
        }
        &place.value
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let mut place = self.first.take();
        while let Some(mut one) = place {
            place = one.next.take();
            if one.forks != os::guard::forks() && one.value.try_write().is_err() {
                // What a thread of the parent had in use is never whole again.
                std::mem::forget(one);
            }
        }
    }
}

//! Sleeping until a moment of `CLOCK_MONOTONIC`.
//!
//! The runtime's own timers round up to whole milliseconds, which at 250 requests a second is a quarter of the gap. A
//! timer file descriptor is exact to the kernel's wake-up latency and costs nothing while it waits. Other systems than
//! Linux fall back to the runtime's timer: late by up to a millisecond, which is recorded as such, never hidden.

use super::clock::monotonic_ns;

/// One worker's timer.
#[derive(Debug)]
pub struct Timer {
    #[cfg(target_os = "linux")]
    fd: tokio::io::unix::AsyncFd<linux::Fd>,
}

impl Timer {
    /// Opens one.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(target_os = "linux")]
            fd: linux::open()?,
        })
    }

    /// Waits until `at_ns`; returns at once when that has passed.
    pub async fn sleep_until(&mut self, at_ns: u64) -> std::io::Result<()> {
        if at_ns <= monotonic_ns() {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        return linux::wait(&self.fd, at_ns).await;
        #[cfg(not(target_os = "linux"))]
        {
            tokio::time::sleep(std::time::Duration::from_nanos(at_ns.saturating_sub(monotonic_ns()))).await;
            Ok(())
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::Duration;

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub struct Fd(TimerFd);

    impl AsRawFd for Fd {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    pub fn open() -> io::Result<AsyncFd<Fd>> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        // SAFETY: `Fd` owns an open timer descriptor, returns that same one on every call, and closes it only when it is
        // dropped, which `AsyncFd` does after it has deregistered it.
        Ok(unsafe { AsyncFd::register_with_interest(Fd(timer), Interest::READABLE) }?)
    }

    pub async fn wait(fd: &AsyncFd<Fd>, at_ns: u64) -> io::Result<()> {
        let at = TimeSpec::from_duration(Duration::from_nanos(at_ns));
        // Setting a timer anew also clears an expiration that nobody has read (a wait that was given up).
        fd.get_ref().0.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        loop {
            let mut ready = fd.readable().await?;
            match ready.try_io(|inner| Ok(inner.get_ref().0.wait()?)) {
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn never_early_and_reusable_after_a_wait_was_given_up() {
        let mut timer = Timer::new().unwrap();
        let far = monotonic_ns() + 10_000_000_000;
        let gave_up = tokio::time::timeout(std::time::Duration::from_millis(5), timer.sleep_until(far)).await;
        assert!(gave_up.is_err());
        for _ in 0..20 {
            let at = monotonic_ns() + 3_300_000;
            timer.sleep_until(at).await.unwrap();
            assert!(monotonic_ns() >= at);
        }
    }
}

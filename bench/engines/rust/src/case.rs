//! How an operation is repeated and timed.

use std::time::{Duration, Instant};

/// Why there is no number.
pub enum Failure {
    /// The engine, or the file system, cannot do this.
    Absent(String),
    Error(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.to_string())
    }
}

pub type Outcome<T> = Result<T, Failure>;

/// An operation of one engine, ready to be timed.
pub trait Case {
    /// Nanoseconds an operation took.
    fn sample(&mut self, budget: Duration) -> Outcome<f64>;
    /// What the operation found or made.
    fn answer(&mut self) -> Outcome<u64>;
}

/// A short operation: a sample repeats it until the budget is used.
struct Repeated<S, F, A> {
    state: S,
    step: F,
    answer: A,
    count: u64,
}

/// A case for an operation that is short, and can be repeated as it is.
pub fn repeated<S: 'static>(
    state: S,
    step: impl FnMut(&mut S) + 'static,
    answer: impl FnMut(&mut S) -> Outcome<u64> + 'static,
) -> Outcome<Box<dyn Case>> {
    Ok(Box::new(Repeated { state, step, answer, count: 0 }))
}

impl<S, F: FnMut(&mut S), A> Repeated<S, F, A> {
    fn time(&mut self, count: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..count {
            (self.step)(&mut self.state);
        }
        start.elapsed()
    }
}

impl<S, F, A> Case for Repeated<S, F, A>
where
    F: FnMut(&mut S),
    A: FnMut(&mut S) -> Outcome<u64>,
{
    fn sample(&mut self, budget: Duration) -> Outcome<f64> {
        if self.count == 0 {
            self.count = 1;
            loop {
                let spent = self.time(self.count);
                if spent * 2 >= budget {
                    let more = budget.as_secs_f64() / spent.as_secs_f64().max(1e-9);
                    self.count = ((self.count as f64 * more) as u64).max(1);
                    break;
                }
                self.count *= 2;
            }
        }
        Ok(self.time(self.count).as_nanos() as f64 / self.count as f64)
    }

    fn answer(&mut self) -> Outcome<u64> {
        (self.answer)(&mut self.state)
    }
}

/// A long operation: a sample is one of it.
struct Single<P, F> {
    prepare: P,
    step: F,
    found: u64,
}

/// A case for an operation that is long, or needs a state that it uses up:
/// `prepare` makes the state untimed, `step` takes it and says what it found.
pub fn single<S: 'static>(
    prepare: impl FnMut() -> Outcome<S> + 'static,
    step: impl FnMut(&mut S) -> Outcome<u64> + 'static,
) -> Outcome<Box<dyn Case>> {
    Ok(Box::new(Single { prepare, step, found: 0 }))
}

impl<S, P: FnMut() -> Outcome<S>, F: FnMut(&mut S) -> Outcome<u64>> Case for Single<P, F> {
    fn sample(&mut self, _: Duration) -> Outcome<f64> {
        let mut state = (self.prepare)()?;
        let start = Instant::now();
        self.found = (self.step)(&mut state)?;
        let spent = start.elapsed();
        drop(state);
        Ok(spent.as_nanos() as f64)
    }

    fn answer(&mut self) -> Outcome<u64> {
        Ok(self.found)
    }
}

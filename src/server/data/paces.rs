//! The rates that one transfer keeps to, all at once.

use crate::copy::Pace;
use std::sync::Arc;
use std::time::Duration;

/// That of the server, which all transfers share, and those that are narrower: the account's and the client's.
#[derive(Debug)]
pub(in crate::server) struct Paces {
    total: Option<Arc<Pace>>,
    own: Vec<Arc<Pace>>,
}

impl Paces {
    /// Those of them that limit anything, if any does.
    pub(in crate::server) fn new(total: &Arc<Pace>, own: [Option<Arc<Pace>>; 2]) -> Option<Self> {
        let total = Some(total).filter(|pace| pace.is_limited()).cloned();
        let own: Vec<_> = own.into_iter().flatten().collect();
        (total.is_some() || !own.is_empty()).then_some(Self { total, own })
    }

    /// Books bytes that were moved, and says how long to wait before any more are.
    pub(super) fn pace(&self, count: u64) -> Duration {
        let all = self.total.iter().chain(&self.own);
        all.map(|pace| pace.pace(count)).max().unwrap_or_default()
    }

    /// How many bytes to move at a time. Those who share a rate get equal parts of it by slices of one size, so the widest
    /// says what that is, as long as it is not too much for the others.
    pub(super) fn chunk(&self) -> usize {
        let own = self.own.iter();
        let bytes = match &self.total {
            Some(total) => own.map(|pace| pace.most()).chain([total.chunk()]).min(),
            None => own.map(|pace| pace.chunk()).min(),
        };
        bytes.unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_of_one_size_as_far_as_the_narrower_rates_let() {
        let (total, pace) = (Arc::new(Pace::new(1_000_000)), |rate| {
            Some(Arc::new(Pace::new(rate)))
        });
        let chunk = |own| Paces::new(&total, own).map(|paces| paces.chunk());
        assert_eq!(chunk([None, None]), Some(10_000));
        assert_eq!(chunk([pace(500_000), None]), Some(10_000));
        assert_eq!(chunk([pace(500_000), pace(1000)]), Some(250));
        let none = Arc::new(Pace::default());
        assert!(Paces::new(&none, [None, None]).is_none());
        let own = Paces::new(&none, [None, pace(1000)]);
        assert_eq!(own.map(|paces| paces.chunk()), Some(50));
    }
}

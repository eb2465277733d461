//! When to look at a pending image again: late enough to look seldom, soon enough to notice at once when it is ready.

use serde::{Deserialize, Serialize};

/// Seconds before an image's snapshots have ids and their bytes begin to move, as EC2 usually takes.
pub const START: u64 = 15;
/// At most this many looks at one image: a run has 25,000 events for everything.
const MOST_LOOKS: u64 = 100;
/// What an image gets unless it takes `LONG` seconds or the progress misleads; the last at the latest it can be ready.
/// With fewer an image is noticed too late, with more it is looked at too often: `make bench-waiting`.
const LOOKS: u64 = 10;
const LONG: u64 = 2_280;
/// The shortest wait is a sixtieth of the time so far, within these: what takes a minute is noticed the sooner for it.
const SHORTEST_WAIT: (u64, u64) = (2, 5);
/// One image that many others wait for is looked at twice as often, unless it takes longer than this: then it is late by
/// less than a hundredth anyway.
const AWAITED: u64 = 2;
const AWAITED_UNTIL: u64 = 600;
/// Nobody waits longer than this to hear that an image has failed.
const LONGEST_WAIT: u64 = 600;
/// The longest wait while an image that takes `LONG` may be ready, and while one may that is later than foreseen.
const LONGEST_WAIT_IF_LONG: u64 = 12;
const LONGEST_WAIT_IF_LATE: u64 = 15;
/// Progress comes in steps, of at most this many percent, and what is told is a multiple of the step.
const LARGEST_STEP: u64 = 10;
/// A stall hides this many more percent; in the beginning, while less than this is told, they make a difference.
const STALL: u64 = 5;
const BEGINNING: u64 = 20;
/// The last percent that is told; and how much of the time has gone when it begins to be: from, to.
const LAST: u64 = 99;
const LAST_BEGINS: (u64, u64) = (95, 99);
/// Between an image's last snapshot and the image.
const FINISH: u64 = 5;
/// Nothing that has to move is faster than this; only for how long to leave alone what has not begun to move.
const MOST_GIB_A_SECOND: u64 = 2;

/// What the looks so far say: when 99% begins to be told, in seconds of moving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Known {
    pub soonest: u64,
    /// 0 for not known yet.
    pub latest: u64,
}

/// What one look at a pending image shows, and what is known from before. All times are in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// Since the image was requested.
    pub waited: u64,
    /// Percent of the snapshot that is furthest behind: the image waits for it.
    pub progress: u8,
    /// The largest of its snapshots.
    pub gib: u64,
    pub known: Known,
    /// Looks taken so far.
    pub looks: u64,
    /// The longest that it may stay pending.
    pub allowed: u64,
    /// Whether the whole bake, or all of a Region, waits for it.
    pub awaited: bool,
}

impl Sight {
    fn often(&self) -> u64 {
        if self.awaited && self.waited < AWAITED_UNTIL { AWAITED } else { 1 }
    }

    fn shortest(&self) -> u64 {
        (self.waited / 60 / self.often()).clamp(SHORTEST_WAIT.0 / self.often(), SHORTEST_WAIT.1)
    }

    fn moving(&self) -> u64 {
        self.waited.saturating_sub(START)
    }

    /// What is known with this look: between what is told and one step more is done, or had stalled.
    pub fn known(&self) -> Known {
        let (told, was) = (u64::from(self.progress), self.known);
        if told == 0 || told > LAST {
            return was;
        }
        let latest = self.moving() * LAST / told + 1;
        let latest = if was.latest == 0 { latest } else { latest.min(was.latest) };
        if told == LAST {
            return Known { soonest: was.soonest.min(latest), latest };
        }
        let step = (1..=LARGEST_STEP).rev().find(|size| told.is_multiple_of(*size)).unwrap_or(1);
        let hidden = step + if told < BEGINNING { STALL } else { 0 };
        let soonest = self.moving() * LAST / (told + hidden).min(LAST);
        // More is done than an earlier look let expect: it had stalled then.
        let soonest = if was.soonest > latest { soonest } else { soonest.max(was.soonest) };
        Known { soonest: soonest.min(latest), latest }
    }

    /// Seconds until the next look.
    pub fn check_after_seconds(&self) -> u64 {
        let rest = match self.progress {
            // What has not begun to move is left alone for longer each time.
            0 => (START + self.gib / MOST_GIB_A_SECOND).saturating_sub(self.waited).max(self.waited / 3),
            1..=99 => self.rest().min(3 * self.waited),
            _ => self.shortest(),
        };
        let rest = rest.clamp(self.shortest(), LONGEST_WAIT);
        // Half of the looks may be quick; the others share what is left of the time, the first of them not at once.
        if self.looks < MOST_LOOKS / 2 {
            return rest;
        }
        let share = self.allowed.saturating_sub(self.waited) / MOST_LOOKS.saturating_sub(self.looks).max(1);
        rest.max(share.min(self.waited / 4))
    }

    fn rest(&self) -> u64 {
        let (moving, known) = (self.moving(), self.known());
        let earliest = known.soonest * 100 / LAST_BEGINS.1;
        let latest = known.latest * 100 / LAST_BEGINS.0 + FINISH + 1;
        if moving >= latest {
            return (self.waited / 100).clamp(self.shortest(), LONGEST_WAIT_IF_LATE);
        }
        // It may be ready from now, or from the earliest, to the latest: the looks that are left divide that evenly.
        let left = (LOOKS * self.often()).saturating_sub(self.looks + 1).max(1);
        let from = earliest.max(moving);
        let most = match left {
            _ if from > LONG => LONGEST_WAIT_IF_LONG,
            // Too late by a fortieth at most where a look tells more about the end than whether it has come.
            _ if moving < earliest => earliest / 40,
            1 => LONGEST_WAIT,
            _ => moving / 60 / self.often(),
        };
        let gap = ((latest - from) / left).min(most).max(self.shortest());
        if moving < earliest { earliest + FINISH - moving + gap } else { gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(waited: u64, progress: u8) -> Sight {
        Sight { waited, progress, allowed: 43_200, ..Sight::default() }
    }

    #[test]
    fn what_is_told_bounds_when_the_last_percent_begins() {
        // 53 is a multiple of no step but 1: between 53 and 54 percent are done.
        assert_eq!(sight(START + 530, 53).known(), Known { soonest: 971, latest: 991 });
        // 50 may be anything up to 60.
        assert_eq!(sight(START + 500, 50).known(), Known { soonest: 825, latest: 991 });
        assert_eq!(sight(START, 0).known(), Known::default(), "nothing is known yet");
    }

    #[test]
    fn what_was_ruled_out_stays_so() {
        let known = Known { soonest: 900, latest: 950 };
        let stalled = Sight { known, ..sight(START + 800, 80) };
        assert_eq!(stalled.known(), Known { soonest: 900, latest: 950 });
        let faster = Sight { known, ..sight(START + 800, 97) };
        assert_eq!(faster.known(), Known { soonest: 808, latest: 817 }, "it had stalled when it was looked at before");
    }

    #[test]
    fn the_wait_ends_when_it_may_be_ready() {
        // It moves for 980 to 1,049 s, and nine looks are left for what is between.
        assert_eq!(sight(START + 530, 53).check_after_seconds(), 980 + FINISH - 530 + 7);
        let only_the_image = [30, 100, 1_000].map(|waited| sight(waited, 100).check_after_seconds());
        assert_eq!(only_the_image, [2, 2, 5], "only the image itself is missing");
        assert_eq!(sight(3_615, 20).check_after_seconds(), LONGEST_WAIT);
    }

    #[test]
    fn what_others_wait_for_is_looked_at_twice_as_often_while_it_may_be_soon() {
        let of = |waited, awaited| Sight { awaited, ..sight(waited, 100) }.check_after_seconds();
        assert_eq!([of(60, false), of(250, false), of(300, false)], [2, 4, 5]);
        assert_eq!([of(60, true), of(250, true), of(1_200, true)], [1, 2, 5]);
    }

    #[test]
    fn before_anything_moves_its_size_says_how_long_to_leave_it_alone() {
        let of = |gib, waited| Sight { gib, ..sight(waited, 0) }.check_after_seconds();
        assert_eq!((of(1, START), of(1_000, START), of(1_000, 900)), (5, 500, 300));
    }

    #[test]
    fn a_small_image_that_is_long_in_coming_is_not_forgotten() {
        for (ready, awaited) in (30..=600).flat_map(|ready| [(ready, false), (ready, true)]) {
            let (mut waited, mut looks, mut known) = (START, 0, Known::default());
            while waited < ready {
                let sight = Sight { looks, known, awaited, ..sight(waited, 100) };
                (waited, known, looks) = (waited + sight.check_after_seconds(), sight.known(), looks + 1);
            }
            assert!(waited - ready <= 5.max(ready / 4), "ready after {ready} s, and noticed after {waited}");
        }
    }

    #[test]
    fn the_looks_are_few_even_when_nothing_moves() {
        for allowed in [60, 3_600, 43_200, 604_800] {
            for (progress, awaited) in [0, 1, 50, 99, 100].into_iter().flat_map(|told| [(told, false), (told, true)]) {
                let (mut waited, mut looks, mut known) = (0, 0, Known::default());
                while waited < allowed {
                    let sight = Sight { looks, allowed, known, awaited, ..sight(waited, progress) };
                    (waited, known) = (waited + sight.check_after_seconds(), sight.known());
                    looks += 1;
                }
                assert!(looks <= MOST_LOOKS + 1, "{looks} looks in {allowed} s at {progress}%");
            }
        }
    }
}

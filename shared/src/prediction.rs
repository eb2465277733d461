//! When to look at a pending image again: late enough to look seldom, soon enough to notice at once when it is ready.

/// Seconds before an image's snapshots have ids and their bytes begin to move, as EC2 usually takes.
pub const START: u64 = 15;
/// At most this many looks at one image: a run has 25,000 events for everything.
const MOST_LOOKS: u64 = 100;
const SHORTEST_WAIT: u64 = 5;
/// Nobody waits longer than this to hear that an image has failed.
const LONGEST_WAIT: u64 = 600;
/// The longest wait while an image may be ready at any moment.
const LONGEST_WAIT_AT_THE_END: u64 = 15;
/// The progress is told in steps, and stalls: this many more percent may be done than it says, most of all in the
/// beginning. With less an image is noticed too late, with more it is looked at too often: `make bench-waiting`.
const UNTOLD: u64 = 4;
const UNTOLD_AT_FIRST: u64 = 7;
/// Where the beginning ends, in percent.
const BEGINNING: u64 = 20;
/// Nothing that has to move is faster than this; only for how long to leave alone what has not begun to move.
const MOST_GIB_A_SECOND: u64 = 2;

/// What one look at a pending image shows, and what is known from before. All times are in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// Since the image was requested.
    pub waited: u64,
    /// Percent of the snapshot that is furthest behind: the image waits for it.
    pub progress: u8,
    /// The largest of its snapshots.
    pub gib: u64,
    /// The earliest that the image can be ready, as the looks before say.
    pub earliest: u64,
    /// Looks taken so far.
    pub looks: u64,
    /// The longest that it may stay pending.
    pub allowed: u64,
}

impl Sight {
    /// The earliest that the image can be ready. What one look has ruled out stays so: a stall tells nothing new.
    pub fn earliest(&self) -> u64 {
        let (moving, told) = (self.waited.saturating_sub(START), u64::from(self.progress));
        let earliest = match told {
            0 => self.gib / MOST_GIB_A_SECOND,
            1..BEGINNING => moving * 100 / (told + UNTOLD_AT_FIRST),
            _ => moving * 100 / (told + UNTOLD),
        };
        self.earliest.max(START + earliest)
    }

    /// Seconds until the next look.
    pub fn check_after_seconds(&self) -> u64 {
        let at_the_end = (self.waited / 100).clamp(SHORTEST_WAIT, LONGEST_WAIT_AT_THE_END);
        // Half of the looks may be quick; the others share what is left of the time.
        let pace = if self.looks < MOST_LOOKS / 2 {
            at_the_end
        } else {
            self.allowed.saturating_sub(self.waited) / MOST_LOOKS.saturating_sub(self.looks).max(1)
        };
        let rest = self.earliest().saturating_sub(self.waited);
        // What has not begun to move is left alone for longer each time; what has, for as long as it has been watched.
        let rest = if self.progress == 0 { rest.max(self.waited / 3) } else { rest.min(self.waited) };
        rest.clamp(SHORTEST_WAIT, LONGEST_WAIT).max(pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(waited: u64, progress: u8) -> Sight {
        Sight { waited, progress, allowed: 43_200, ..Sight::default() }
    }

    #[test]
    fn the_wait_follows_the_progress() {
        assert_eq!(sight(115, 46).check_after_seconds(), 100, "it may be half done");
        assert_eq!(sight(100, 99).check_after_seconds(), SHORTEST_WAIT);
        assert_eq!(sight(1_000, 99).check_after_seconds(), 10, "a larger image ends more slowly");
        assert_eq!(sight(100, 1).check_after_seconds(), 100, "the first percents say little");
        assert_eq!(sight(3_615, 20).check_after_seconds(), LONGEST_WAIT);
    }

    #[test]
    fn before_anything_moves_its_size_says_how_long_to_leave_it_alone() {
        let of = |gib, waited| Sight { gib, ..sight(waited, 0) }.check_after_seconds();
        assert_eq!((of(1, START), of(1_000, START), of(1_000, 900)), (SHORTEST_WAIT, 500, 300));
    }

    #[test]
    fn what_was_ruled_out_stays_so() {
        let stalled = Sight { earliest: 500, ..sight(400, 90) };
        assert_eq!((stalled.earliest(), stalled.check_after_seconds()), (500, 100));
    }

    #[test]
    fn the_looks_are_few_even_when_nothing_moves() {
        for allowed in [60, 3_600, 43_200, 604_800] {
            for progress in [0, 99] {
                let (mut waited, mut looks) = (0, 0);
                while waited < allowed {
                    waited += Sight { looks, allowed, ..sight(waited, progress) }.check_after_seconds();
                    looks += 1;
                }
                assert!(looks <= MOST_LOOKS + 1, "{looks} looks in {allowed} s");
            }
        }
    }
}

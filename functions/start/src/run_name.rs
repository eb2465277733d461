//! What the runs are called that a tag or a schedule starts: `web-20261130-1718-77a3c9`, for what, when, and a few digits
//! of what tells two of the same minute apart. The name is made of the event alone, so that an event that is delivered
//! again names the same run.

use bakery::ids::BakeId;
use bakery::names::token;
use bakery::time::Timestamp;

/// A bake's id has 64 characters at most.
const LONGEST_SUBJECT: usize = 64 - "-20261130-1718-77a3c9".len();
const DIGITS: usize = 6;

/// The name of a run: of the first subject that leaves anything, of the moment (UTC), and of all that identifies the event.
pub fn run_name(subjects: &[Option<&str>], at: Timestamp, identity: &[&str]) -> String {
    let subject = subjects.iter().flatten().map(|text| fit(text)).find(|text| !text.is_empty());
    let moment: String = String::from(at).chars().filter(char::is_ascii_digit).take(12).collect();
    let (day, minute) = moment.split_at(8);
    let token = token(identity);
    format!("{}-{day}-{minute}-{}", subject.as_deref().unwrap_or("bake"), &token[..DIGITS])
}

/// Whether a tag or a schedule has started the run, as far as its name says: also of versions before this form.
pub fn is_of_tag_or_schedule(name: &BakeId) -> bool {
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_number = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let earlier = ["tag-", "schedule-"].iter().find_map(|prefix| name.as_str().strip_prefix(prefix));
    let mut parts = name.as_str().rsplit('-');
    let is_now = parts.next().is_some_and(|token| is_hex(token, DIGITS))
        && parts.next().is_some_and(|minute| is_number(minute, 4))
        && parts.next().is_some_and(|day| is_number(day, 8))
        && parts.next().is_some();
    is_now || earlier.is_some_and(|token| is_hex(token, 32))
}

/// A text as the beginning of a run's name: what is not allowed becomes a hyphen.
fn fit(text: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<_> = text.split(|c| !is_allowed(c)).filter(|word| !word.is_empty()).collect();
    let fit: String = words.join("-").chars().take(LONGEST_SUBJECT).collect();
    fit.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(subjects: &[Option<&str>], id: &str) -> String {
        let at = Timestamp::try_from("2026-11-30T17:18:59Z".to_owned()).expect("a moment");
        run_name(subjects, at, &[id])
    }

    #[test]
    fn a_name_says_for_what_and_when() {
        let token = &token(&["event"])[..6];
        assert_eq!(name(&[None, Some("web")], "event"), format!("web-20261130-1718-{token}"));
        assert_eq!(
            name(&[Some(" Web server #1 (é)/x_y ")], "event"),
            format!("Web-server-1-x_y-20261130-1718-{token}")
        );
        assert_eq!(name(&[Some("é"), None, Some("i-1")], "event"), format!("i-1-20261130-1718-{token}"));
        assert_eq!(name(&[], "event"), format!("bake-20261130-1718-{token}"));
        assert_ne!(name(&[], "event"), name(&[], "another"));
    }

    #[test]
    fn every_name_is_a_bake_s_id_and_known_as_ours() {
        for subject in ["", "-", "web", "a b", "日本", &"x".repeat(256), &"x-".repeat(100)] {
            let name = name(&[Some(subject)], "event");
            let name = BakeId::try_from(name.as_str()).expect("a bake's id");
            assert!(is_of_tag_or_schedule(&name), "{name}");
        }
    }

    #[test]
    fn what_a_person_calls_a_run_is_not_ours() {
        let ours = |name: &str| is_of_tag_or_schedule(&BakeId::try_from(name).expect("a bake's id"));
        let token = token(&["event"]);
        assert!(ours(&format!("tag-{token}")) && ours(&format!("schedule-{token}")), "as earlier versions named them");
        for name in
            ["web-2026-11-24", "tag-1", "schedule-web", "web", "20261130-1718-77a3c9", "web-20261130-1718-77a3cg"]
        {
            assert!(!ours(name), "{name}");
        }
    }
}

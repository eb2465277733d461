//! How each receiver gets the image.

use crate::source::Nature;
use bakery::plan::Route;
use bakery::receivers::WantedRoute;

/// The route, and why. AWS copies an image with Marketplace product codes within its account only; of Windows images
/// its pages and its staff say different things, so that a copy is tried first.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/CopyingAMIs.html>
pub fn route(wanted: WantedRoute, nature: &Nature, is_owner: bool) -> (Route, String) {
    let codes = nature.product_codes.join(", ");
    let (route, why) = match wanted {
        WantedRoute::Copy => (Route::Copy, "asked for".to_owned()),
        WantedRoute::Relaunch => (Route::Relaunch, "asked for".to_owned()),
        WantedRoute::ShareOnly => (Route::ShareOnly, "asked for".to_owned()),
        WantedRoute::Auto if is_owner => (Route::Copy, "AWS copies every image within its account".to_owned()),
        WantedRoute::Auto if !codes.is_empty() => {
            let why = format!("AWS copies no image with Marketplace product codes ({codes}) to another account");
            (Route::Relaunch, why)
        }
        WantedRoute::Auto if nature.is_windows => {
            (Route::Copy, "a Windows image: if AWS refuses to copy it, an instance is launched from it".to_owned())
        }
        WantedRoute::Auto => (Route::Copy, "AWS copies such an image".to_owned()),
    };
    (route, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(wanted: WantedRoute, codes: &[&str], is_windows: bool, is_owner: bool) -> Route {
        let product_codes = codes.iter().map(|code| (*code).to_owned()).collect();
        route(wanted, &Nature { product_codes, is_windows }, is_owner).0
    }

    #[test]
    fn what_aws_does_not_copy_is_launched() {
        assert_eq!(of(WantedRoute::Auto, &["aw0evgkw8e5c1q413zgy5pjce"], false, false), Route::Relaunch);
        assert_eq!(of(WantedRoute::Auto, &["aw0evgkw8e5c1q413zgy5pjce"], false, true), Route::Copy, "its own account");
        assert_eq!(of(WantedRoute::Auto, &[], true, false), Route::Copy, "tried first");
        assert_eq!(of(WantedRoute::Auto, &[], false, false), Route::Copy);
    }

    #[test]
    fn what_was_asked_for_is_done() {
        assert_eq!(of(WantedRoute::Copy, &["aw0evgkw8e5c1q413zgy5pjce"], false, false), Route::Copy);
        assert_eq!(of(WantedRoute::Relaunch, &[], false, false), Route::Relaunch);
    }

    #[test]
    fn the_codes_are_named() {
        let nature = Nature { product_codes: vec!["code-a".to_owned(), "code-b".to_owned()], is_windows: false };
        assert!(route(WantedRoute::Auto, &nature, false).1.contains("code-a, code-b"));
    }
}

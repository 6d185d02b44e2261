"""A real Chromium for the tests, without what it does for people alone."""

from typing import TYPE_CHECKING

from tests.examples.programs import find_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# The address bar of each window has two pages of its own, in a process of its own: they take as
# long to start as all that a test looks at. The other features are those that playwright turns
# off, for only the last list counts.
_FEATURES_OFF = (
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    *("PreloadTopChromeWebUI", "AimEnabled", "LensOverlay", "MediaRouter", "PreconnectToSearch"),
    *("OptimizationHints", "NetworkTimeServiceQuerying", "HttpsUpgrades", "PaintHolding"),
    *("HttpsFirstBalancedModeAutoEnable", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    "DestroyProfileOnBrowserClose",
    # A process that waits for a page that nobody opens.
    "SpareRendererForSitePerProcess",
)
# Scripts run once or twice, which no optimizing compiler makes up for.
_SMALL = (
    *("--disable-site-isolation-trials", "--disable-breakpad"),
    # What would else go from process to process: each request, and each picture of a page.
    *("--in-process-gpu", "--enable-features=NetworkServiceInProcess2"),
    "--js-flags=--no-opt --no-maglev --single-threaded-gc",
)


def find_chromium() -> str | None:
    """The path of the machine's Chromium: the one without windows if there is one.

    It renders as the other does, in two thirds of the time: it has no tabs and bars to draw.
    """
    return find_program("chromium-headless-shell") or find_program("chromium")


def launch_chromium(playwright: "Playwright") -> "Browser":
    """Start the Chromium that the machine has, or playwright's own."""
    return playwright.chromium.launch(
        executable_path=find_chromium(),
        args=["--no-sandbox", f"--disable-features={','.join(_FEATURES_OFF)}", *_SMALL],
    )

"""Who is told of progress."""

from __future__ import annotations


class Bar:
    """A callback that shows a `tqdm` bar, or nothing where tqdm is not installed."""

    def __init__(self):
        try:
            from tqdm.auto import tqdm
        except ImportError:
            self._bar = None
        else:
            self._bar = tqdm(leave=False, bar_format="{desc} {elapsed}")

    def __call__(self, event):
        if self._bar is None:
            return False
        if "of" in event:
            text = f"{event['rows']} of {event['of']} rows"
        elif "iteration" in event:
            text = f"{event['phase']} {event['iteration']}: objective {event['objective']:.6g}, {event['atoms']} atoms"
        else:
            text = event["phase"]
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(0)
        self._bar.refresh()
        return False

    def close(self):
        if self._bar is not None:
            self._bar.close()


class Both:
    """Two callbacks: either may cancel."""

    def __init__(self, first, second):
        self._callbacks = (first, second)

    def __call__(self, event):
        answers = [callback(event) for callback in self._callbacks]
        return any(answers)

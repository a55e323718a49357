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
        if event["of"] is not None:
            text = f"{event['rows']} of {event['of']} rows"
        elif event["iteration"] is not None:
            objective = event["objective"]
            told = "" if objective is None else f"objective {objective:.6g}, "
            text = f"{event['phase']} {event['iteration']}: {told}{event['atoms']} atoms"
        else:
            text = event["phase"] or ""
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

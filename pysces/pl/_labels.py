"""Place labels of points without overlaps, and fit axes with their labels into the figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from numpy.typing import NDArray

# Directions from a point to its label, the most readable first.
_DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7)]
_GAP = 1.0  # pixels at 72 per inch between two labels


def halo(width: float = 2.0) -> list[Any]:
    """A white outline, so that text is readable on lines and colours."""
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=width, foreground="white")]


def settle(ax: Axes) -> None:
    """Compute the limits of the axes and the layout of the figure, so that positions are final."""
    ax.get_xlim(), ax.get_ylim()  # matplotlib computes the limits on demand
    figure = ax.figure.canvas.figure
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
    elif ax.get_axes_locator() is not None:
        ax.get_tightbbox()  # moves inset axes to their place
    else:
        ax.apply_aspect()  # equal scales change the limits, otherwise only when drawing


def fit(ax: Axes) -> None:
    """Shrink the axes until their labels and decorations fit into their part of the figure.

    Layout engines do this themselves, as far as the figure allows. Without one
    (``plt.subplots()``), long names and artists beside the axes would be cut off or overlap with
    neighbouring axes.
    """
    figure: Any = ax.figure.canvas.figure
    grid = ax.get_subplotspec()
    if figure.get_layout_engine() is not None or grid is None or ax.figure is not figure:
        return
    for _ in range(2):  # twice, because text keeps its size when the axes shrink
        room, cell = _part_of(figure, grid), ax.get_position(original=True).get_points()
        taken: Any = ax.get_tightbbox()
        low, high = figure.transFigure.inverted().transform(taken.get_points())
        # Keep existing margins that are wide enough.
        corners = cell.copy()
        corners[0] += np.maximum(0.0, room[0] - low)
        corners[1] -= np.maximum(0.0, high - room[1])
        if (corners[1] - corners[0] < 0.1 * (cell[1] - cell[0])).any():
            return  # there is no space
        ax.set_position((*corners[0], *(corners[1] - corners[0])))


def _part_of(figure: Any, grid: Any) -> NDArray[np.float64]:
    """Lower left and upper right corner of the area of a subplot, with half of the gaps."""
    rim = 4.0 / 72 / np.array(figure.get_size_inches())
    bottoms, tops, lefts, rights = grid.get_gridspec().get_grid_positions(figure)
    rows, columns = grid.rowspan, grid.colspan
    low = [
        (rights[columns.start - 1] + lefts[columns.start]) / 2 if columns.start else 0.0,
        (tops[rows.stop] + bottoms[rows.stop - 1]) / 2 if rows.stop < len(tops) else 0.0,
    ]
    high = [
        (rights[columns.stop - 1] + lefts[columns.stop]) / 2 if columns.stop < len(lefts) else 1.0,
        (tops[rows.start] + bottoms[rows.start - 1]) / 2 if rows.start else 1.0,
    ]
    return np.array([low, high]) + np.array([rim, -rim])


def box_of(text: Text) -> NDArray[np.float64]:
    """Left, bottom, right, top of a text in pixels (without the arrow of an annotation)."""
    from matplotlib.text import Text as PlainText

    text.get_window_extent()  # updates the position of an annotation
    return np.asarray(PlainText.get_window_extent(text).extents)


def overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mask of the other boxes [boxes 4] that overlap with this one."""
    return (
        (box[0] < others[:, 2])
        & (others[:, 0] < box[2])
        & (box[1] < others[:, 3])
        & (others[:, 1] < box[3])
    )


def place_labels(
    ax: Axes,
    points: NDArray[np.float64],
    names: Sequence[str],
    *,
    radius: NDArray[np.float64] | float = 3.0,
    centred: bool = False,
    taken: Sequence[NDArray[np.float64]] = (),
    colors: Sequence[str] | str = "#222222",
    rings: Sequence[float] = (2.0, 9.0, 18.0, 30.0),
    large: float = 6.0,
    **text: Any,
) -> list[Text]:
    """Write names beside their points, in the given order; names that do not fit are left out.

    Parameters
    ----------
    ax
        Axes whose limits are final.
    points
        Data coordinates [points 2]; points beyond the length of ``names`` are not labelled, but
        labels avoid them.
    names
        Labels of the first points.
    radius
        Radius of the markers, in typographic points.
    centred
        Try the position of the point itself first.
    taken
        Occupied boxes, in pixels.
    colors
        Colours of the text.
    rings
        Distances from the marker to try, in typographic points.
    large
        Markers of at least this radius are never covered. Smaller ones are, if there is no other
        place for a label.
    text
        Properties of the text.
    """
    settle(ax)
    scale = ax.figure.dpi / 72
    where = ax.transData.transform(points) if len(points) else np.empty((0, 2))
    radii = np.broadcast_to(np.asarray(radius, dtype=float), len(points)) * scale
    colors = [colors] * len(names) if isinstance(colors, str) else list(colors)
    boxes = [np.asarray(box, dtype=float) for box in taken]
    inside = np.asarray(ax.bbox.extents)
    placed: list[Text] = []
    for number, name in enumerate(names):
        artist = ax.annotate(
            name,
            points[number],
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            color=colors[number],
            path_effects=halo(),
            snap=False,  # snapping to pixels would distort letters of straight lines (F, T, L)
            **text,
        )
        extent = box_of(artist)
        size = extent[2:] - extent[:2] + _GAP * scale
        crowd = _Crowd(np.array(boxes).reshape(-1, 4), where, radii, inside, large * scale)
        found = _free_place(crowd, number, size, scale, centred, rings)
        if found is None:
            artist.remove()
            continue
        centre, far = found
        artist.set_position(tuple((centre - where[number]) / scale))
        boxes.append(np.concatenate([centre - size / 2, centre + size / 2]))
        if far:
            _leader(ax, points[number], centre)
        placed.append(artist)
    return placed


@dataclass(frozen=True)
class _Crowd:
    """Obstacles of labels: boxes of labels, circles of markers, the frame; all in pixels."""

    boxes: NDArray[np.float64]
    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    frame: NDArray[np.float64]
    large: float

    def cost(self, box: NDArray[np.float64], own: int) -> float:
        """Number of markers that a label covers; infinite if it cannot be placed there."""
        if (box[:2] < self.frame[:2]).any() or (box[2:] > self.frame[2:]).any():
            return np.inf
        if overlaps(box, self.boxes).any():
            return np.inf
        nearest = np.clip(self.centres, box[:2], box[2:])
        covered = np.hypot(*(nearest - self.centres).T) < self.radii
        covered[own] = False
        if (covered & (self.radii >= self.large)).any():
            return np.inf
        return float(min(5, covered.sum()))


def _free_place(
    crowd: _Crowd,
    number: int,
    size: NDArray[np.float64],
    scale: float,
    centred: bool,
    rings: Sequence[float],
) -> tuple[NDArray[np.float64], bool] | None:
    """Centre (pixels) of the best free box for a label, and whether it is far from its point."""
    point, radius = crowd.centres[number], crowd.radii[number]
    candidates = [(point, False)] if centred else []
    for ring in rings:
        for direction in np.array(_DIRECTIONS):
            # The box is also moved by half of its size, so that its edge touches the ring.
            reach = direction * (radius + ring * scale) + np.sign(direction) * size / 2
            candidates.append((point + reach, ring > rings[0] + 6))
    best, least = None, np.inf
    for rank, (centre, far) in enumerate(candidates):
        cost = crowd.cost(np.concatenate([centre - size / 2, centre + size / 2]), number)
        cost = 2.0 * cost + rank / len(_DIRECTIONS)
        if centred and rank == 0 and np.isfinite(cost):
            cost = -1.0
        if cost < least:
            best, least = (centre, far), cost
    return best


def _leader(ax: Axes, point: NDArray[np.float64], centre: NDArray[np.float64]) -> None:
    """A thin line from a point to its label."""
    end = ax.transData.inverted().transform(centre)
    ax.plot(
        [point[0], end[0]],
        [point[1], end[1]],
        color="#999999",
        linewidth=0.5,
        zorder=1.5,
        scalex=False,
        scaley=False,
    )

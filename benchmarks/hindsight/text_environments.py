"""Small worlds for episodes in words: FrozenLake, Sokoban, and a conveyor from a key to a door.

All have Gymnasium's API with text (see `backsight.environments.text`); the conveyor also exists with flat observations.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
CLASSIC_LAKE = ("SFFF", "FHFH", "FFFH", "HFFG")

State = TypeVar("State", bound=Hashable)
Cell = tuple[int, int]
Transition = tuple[str, str, str]
"""An observation, what was said to it, and the next observation."""
Room = tuple[Cell, Cell, Cell, set[Cell], dict[tuple[Cell, Cell], int]]
"""A room of Sokoban: the player, the box, the target, the floor, and the moves that are left from each state."""


class FrozenLake:
    """Walk over ice from the top left to a goal; a hole ends the episode. Nothing is slippery.

    Args:
        lake: rows of S (start), F (ice), H (hole) and G (goal); None: every seed has a lake of its own, with a way to
            the goal.
        size, hole_share: how large such a lake is, and how much of it are holes.
    """

    def __init__(self, lake: Sequence[str] | None = CLASSIC_LAKE, size: int = 4, hole_share: float = 0.25) -> None:
        self.lake, self.size, self.hole_share = lake, size, hole_share

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        lake = self.lake or self._draw_lake(random.Random(seed))
        cells = {(row, column): mark for row, line in enumerate(lake) for column, mark in enumerate(line)}
        self.shape = (len(lake), len(lake[0]))
        self.holes = {cell for cell, mark in cells.items() if mark == "H"}
        self.start = next(cell for cell, mark in cells.items() if mark == "S")
        self.goal = next(cell for cell, mark in cells.items() if mark == "G")
        self.player, self.path = self.start, [self.start]
        self.far = count_steps([self.goal], self._neighbours)
        return self._draw(self.player, self.goal), {"potential": self._potential()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        info: dict[str, Any] = {}
        word = action.strip().lower()
        if word in MOVES:
            self.player = self._move(self.player, MOVES[word])
        else:
            info["feedback"] = "that is no move; say up, down, left or right"
        self.path.append(self.player)
        if self.player in self.holes:
            info["feedback"] = "fell into a hole at ({},{})".format(*self.player)
        success = self.player == self.goal
        info |= {
            "success": success,
            "outcome": "stands at ({},{})".format(*self.player),
            "potential": self._potential(),
        }
        is_over = success or self.player in self.holes
        return self._draw(self.player, self.goal), float(success), is_over, False, info

    def achieved(self, transitions: Sequence[Transition]) -> list[str] | None:
        """Put the goal where the walk ended; None where it fell into a hole, or had been there before."""
        if self.player in self.holes or self.player in self.path[:-1]:
            return None
        return [self._draw(cell, self.player) for cell in self.path[:-1]]

    def leads_on(self, word: str) -> bool:
        return self._move(self.player, MOVES[word]) != self.player

    def count_moves_after(self, word: str) -> float:
        return self.far.get(self._move(self.player, MOVES[word]), math.inf)

    def _potential(self) -> float:
        """Return minus the way that is left, as a share; a hole is as far as can be."""
        return -self.far.get(self.player, len(self.far)) / len(self.far)

    def _move(self, cell: Cell, move: Cell) -> Cell:
        (row, column), (rows, columns) = cell, self.shape
        return min(max(row + move[0], 0), rows - 1), min(max(column + move[1], 0), columns - 1)

    def _neighbours(self, cell: Cell) -> Iterable[Cell]:
        return (each for move in MOVES.values() if (each := self._move(cell, move)) not in self.holes)

    def _draw(self, player: Cell, goal: Cell) -> str:
        def mark(cell: Cell) -> str:
            if cell == player:
                return "P"
            return "H" if cell in self.holes else "G" if cell == goal else "."

        return draw_grid(self.shape, mark)

    def _draw_lake(self, rng: random.Random) -> list[str]:
        last = self.size - 1
        while True:
            lake = [
                ["H" if rng.random() < self.hole_share else "F" for _ in range(self.size)] for _ in range(self.size)
            ]
            lake[0][0], lake[last][last] = "S", "G"
            self.shape = (self.size, self.size)
            self.holes = {
                (row, column) for row in range(self.size) for column in range(self.size) if lake[row][column] == "H"
            }
            if (0, 0) in count_steps([(last, last)], self._neighbours):
                return ["".join(line) for line in lake]


class Sokoban:
    """Push one box onto the target. The episode ends when it is there, or can never get there again.

    Every seed is another room that can be solved, with at least `min_moves` moves and at most `max_moves`.
    """

    def __init__(self, size: int = 5, walls: int = 3, min_moves: int = 3, max_moves: float = math.inf) -> None:
        self.size, self.num_walls, self.min_moves, self.max_moves = size, walls, min_moves, max_moves

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        room = _keep_room(self.size, self.num_walls, self.min_moves, self.max_moves, seed)
        self.player, self.box, self.target, self.floor, self.far = room
        self.states = [(self.player, self.box)]
        return self._draw(*self.states[0], self.target), {"potential": self._potential()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        info: dict[str, Any] = {}
        word = action.strip().lower()
        if word in MOVES:
            self.player, self.box = self._move((self.player, self.box), MOVES[word])
        else:
            info["feedback"] = "that is no move; say up, down, left or right"
        self.states.append((self.player, self.box))
        is_stuck = (self.player, self.box) not in self.far
        if is_stuck:
            info["feedback"] = "pushed the box to ({},{}), from where it cannot get to the target".format(*self.box)
        success = self.box == self.target
        info |= {
            "success": success,
            "outcome": "the box is at ({},{})".format(*self.box),
            "potential": self._potential(),
        }
        drawing = self._draw(self.player, self.box, self.target)
        return drawing, float(success), success or is_stuck, False, info

    def achieved(self, transitions: Sequence[Transition]) -> list[str] | None:
        """Put the target where the last move pushed the box; None if it pushed nothing, or the box had been there."""
        if self.box in [box for _, box in self.states[:-1]]:
            return None
        return [self._draw(player, box, self.box) for player, box in self.states[:-1]]

    def leads_on(self, word: str) -> bool:
        return self._move((self.player, self.box), MOVES[word]) != (self.player, self.box)

    def count_moves_after(self, word: str) -> float:
        return self.far.get(self._move((self.player, self.box), MOVES[word]), math.inf)

    def _potential(self) -> float:
        """Return minus the moves that are left, as a share; a box that is stuck is as far as can be."""
        furthest = max(self.far.values())
        return -self.far.get((self.player, self.box), furthest) / furthest

    def _move(self, state: tuple[Cell, Cell], move: Cell) -> tuple[Cell, Cell]:
        player, box = state
        ahead = (player[0] + move[0], player[1] + move[1])
        if ahead not in self.floor:
            return state
        if ahead != box:
            return ahead, box
        behind = (box[0] + move[0], box[1] + move[1])
        return (ahead, behind) if behind in self.floor else state

    def draw_room(self, seed: int) -> Room:
        """Draw the room of a seed."""
        rng = random.Random(seed)
        cells = [(row, column) for row in range(self.size) for column in range(self.size)]
        while True:
            player, box, self.target, *walls = rng.sample(cells, 3 + self.num_walls)
            self.floor = set(cells) - set(walls)
            far = self._count_moves_left()
            if self.min_moves <= far.get((player, box), 0) <= self.max_moves:
                return player, box, self.target, self.floor, far

    def _count_moves_left(self) -> dict[tuple[Cell, Cell], int]:
        """Count the moves left of every state that can be solved, by going back from those that are."""
        backwards: dict[tuple[Cell, Cell], list[tuple[Cell, Cell]]] = {}
        for player in self.floor:
            for box in self.floor - {player, self.target}:
                for move in MOVES.values():
                    backwards.setdefault(self._move((player, box), move), []).append((player, box))
        solved = [(player, self.target) for player in self.floor - {self.target}]
        return count_steps(solved, lambda state: backwards.get(state, ()))

    def _draw(self, player: Cell, box: Cell, target: Cell) -> str:
        def mark(cell: Cell) -> str:
            if cell not in self.floor:
                return "#"
            if cell == player:
                return "Q" if cell == target else "P"
            if cell == box:
                return "B"
            return "T" if cell == target else "."

        return draw_grid((self.size, self.size), mark)


@lru_cache(maxsize=1024)
def _keep_room(size: int, walls: int, min_moves: int, max_moves: float, seed: int) -> Room:
    """Draw a room once: most of the time of an episode would go into it."""
    return Sokoban(size, walls, min_moves, max_moves).draw_room(seed)


class Conveyor:
    """A belt that moves on by itself: a key at its first place, a door at its last, apples between (as in COCOA).

    At every place one may take what is there. An apple lies at a place with probability 0.8 and pays 0.1 or 0.9,
    evenly, times `scale`; the door pays 0.2 times `scale` to those who have taken the key. `scale` is 23 / length, so
    that the apples of a belt are worth the same in all, however long it is: far more than the treasure.
    """

    def __init__(self, length: int) -> None:
        if length < 3:
            raise ValueError(f"length={length}: a key, an apple and a door need at least 3 places")
        self.length, self.scale = length, 23 / length

    def start(self, rng: random.Random) -> None:
        """Make all draws of an episode, so that they do not depend on what is done."""
        apples = [rng.choice((0.1, 0.9)) * self.scale if rng.random() < 0.8 else 0.0 for _ in range(self.length - 2)]
        self.apples = [0.0, *apples, 0.0]
        self.place, self.has_key, self.is_open = 0, False, False

    @property
    def has_apple(self) -> bool:
        return self.place < self.length and self.apples[self.place] > 0

    def act(self, takes: bool) -> float:
        """Take what is here or leave it, and be moved on; return what it pays."""
        place, reward = self.place, 0.0
        if takes:
            reward = self.apples[place]
            self.has_key = self.has_key or place == 0
            self.is_open = place == self.length - 1 and self.has_key
        self.place += 1
        return reward + 0.2 * self.scale * self.is_open

    @property
    def is_over(self) -> bool:
        return self.place == self.length


class KeyToDoor:
    """The conveyor in words: at each place `take` or `leave`."""

    def __init__(self, length: int = 23) -> None:
        self.belt = Conveyor(length)

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        self.belt.start(random.Random(seed))
        return self._describe(), {"potential": 0.0}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        info: dict[str, Any] = {}
        word = action.strip().lower()
        if word not in ("take", "leave"):
            info["feedback"] = "that is no action; say take or leave"
        reward = self.belt.act(word == "take")
        info["potential"] = 0.2 * self.belt.scale * self.belt.has_key
        if self.belt.is_over:
            key = "there was a key" if self.belt.has_key else "there was no key"
            outcome = "opened the door" if self.belt.is_open else f"the door stayed shut: {key}"
            info |= {"success": self.belt.is_open, "outcome": outcome, "feedback": outcome}
        return self._describe(), reward, self.belt.is_over, False, info

    def _describe(self) -> str:
        belt = self.belt
        if belt.is_over:
            return "the belt ends here"
        here = (
            "key"
            if belt.place == 0
            else "door"
            if belt.place == belt.length - 1
            else "apple"
            if belt.has_apple
            else "nothing"
        )
        return (
            f"place {belt.place + 1} of {belt.length}, {'with' if belt.has_key else 'without'} key\nhere: {here}\nact:"
        )


class KeyToDoorArrays(gymnasium.Env):
    """The conveyor for arrays: the place as one-hot numbers, whether one has the key, whether an apple is here.

    Action 1 takes, 0 leaves.
    """

    def __init__(self, length: int = 23) -> None:
        self.belt = Conveyor(length)
        self.observation_space = spaces.Box(0.0, 1.0, (length + 2,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.belt.start(random.Random(int(self.np_random.integers(2**32))))
        return self._observe(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = self.belt.act(bool(action))
        info = {"success": self.belt.is_open} if self.belt.is_over else {}
        return self._observe(), reward, self.belt.is_over, False, info

    def _observe(self) -> Any:
        belt = self.belt
        observed = np.zeros(belt.length + 2, np.float32)
        if not belt.is_over:
            observed[belt.place] = 1
        observed[belt.length :] = belt.has_key, belt.has_apple
        return observed


def draw_grid(shape: Cell, mark: Callable[[Cell], str]) -> str:
    """Draw a grid, one row a line with a space between cells, and the cue to move."""
    rows, columns = shape
    return "\n".join(" ".join(mark((row, column)) for column in range(columns)) for row in range(rows)) + "\nmove:"


def count_steps(ends: Iterable[State], neighbours: Callable[[State], Iterable[State]]) -> dict[State, int]:
    """Count the steps from each state to the nearest of the ends; states without a way are left out."""
    far = dict.fromkeys(ends, 0)
    waiting = deque(far)
    while waiting:
        state = waiting.popleft()
        for each in neighbours(state):
            if each not in far:
                far[each] = far[state] + 1
                waiting.append(each)
    return far

"""Invent names from syllables: companies, tickers, people, brokers and brands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finllm.fiction.vocabulary import Sector, listed

STEM_HEADS = listed(
    """Norv; Quen; Bresk; Talv; Drau; Ostr; Zeph; Thull; Lumv; Kesk; Fenn; Wynt; Pelk; Garv; Ardw;
    Corv; Ithr; Velk; Murr; Skel; Yarr; Umbr; Trask; Plov; Hask; Runn; Sarv; Delph; Cromb; Vint;
    Birk; Gost; Hurl; Jesp; Kolv; Morv; Nesk; Pryd; Rask; Sund; Tolv; Ulv; Varn; Welk"""
)
STEM_TAILS = listed(
    """elle; adane; owick; imere; aston; oria; athorn; eridge; aholm; ara; ixa; ovane; essa; abry;
    ecombe; alund; equist; idor; amont; iska; orrin; ulane; avek; enby; oswell; umbra; entry;
    agar; olith; inor"""
)
FIRST_NAMES = listed(
    """Adele; Bruno; Carmen; Dieter; Elena; Felix; Greta; Hamid; Ingrid; Jonas; Kavita; Leon;
    Mirela; Nadia; Oscar; Petra; Quentin; Rosa; Stefan; Tamsin; Ulrich; Vera; Wesley; Ximena;
    Yusuf; Zelda; Amara; Boris; Colette; Desmond; Esther; Fiona; Gideon; Helga; Ivan; Joyce;
    Kenji; Lorna; Marcus; Noemi; Olga; Philip; Ravi; Sylvia; Tobias; Ursula; Victor; Wanda;
    Anton; Beatriz; Clive; Daria; Edmund; Farah; Gloria; Hugo; Irene; Jasper; Katya; Lionel"""
)
SURNAME_HEADS = listed(
    """Thistle; Bracken; Wender; Oster; Marl; Quill; Fenwen; Dross; Ambler; Harrow; Cobble; Tarn;
    Lark; Pell; Stave; Copper; Hazel; Brindle; Sorrel; Kettle; Alder; Marsh; Rook; Teasel; Wick;
    Juniper; Ember; Flint; Gorse; Heron"""
)
SURNAME_TAILS = listed(
    """gate; worthy; mead; by; low; hurst; croft; den; sby; wright; moor; fell; combe; stead; shaw;
    man; row; dale; vane; cliffe"""
)
BROKER_TAILS = listed(
    """Securities; Research; Capital Markets; & Partners; Equity Research; Advisory; Brothers
    Research; Markets"""
)
BRAND_HEADS = listed(
    """Vel; Lumo; Tri; Zan; Ori; Fen; Calo; Brio; Nim; Sola; Quo; Pira; Ev; Hali; Juno; Ken; Mira;
    Opa; Rilo; Tavi"""
)
BRAND_TAILS = listed(
    """vanta; dexo; mark; tiva; line; zia; core; nique; sphera; tala; grove; pact; vio; lume; dora;
    cast"""
)
PROGRAMS = listed(
    """Compass; Keystone; Lantern; Anvil; Horizon Line; Trellis; Clearwater; Bedrock; Meridian;
    Plumb Line; Lighthouse; Tailwind; Whetstone; Crossbeam; Groundwork; Millrace"""
)
REGIONS = listed(
    """the Midwest; the Southeast; the Pacific Northwest; the Northeast; Texas; California; Canada;
    Germany; the Nordics; southern Europe; Brazil; Mexico; Japan; Southeast Asia; India; the Gulf
    Coast; the mountain states; the United Kingdom; France; Australia"""
)


@dataclass(frozen=True)
class Company:
    """A fictional company and the people who speak for it."""

    name: str
    ticker: str
    sector: Sector
    ceo: str
    cfo: str
    ir: str
    segments: tuple[str, ...]
    products: tuple[str, ...]
    brands: tuple[str, str]
    program: str
    regions: tuple[str, ...]


def person(rng: np.random.Generator, taken: list[str]) -> str:
    """Draw a name whose first and last part differ from those in ``taken``, and add it there."""
    while True:
        name = f"{_one(FIRST_NAMES, rng)} {_one(SURNAME_HEADS, rng)}{_one(SURNAME_TAILS, rng)}"
        first, last = name.split()
        if not any(first in other.split() or last in other.split() for other in taken):
            taken.append(name)
            return name


def broker(rng: np.random.Generator, taken: list[str]) -> str:
    """Draw the name of a broker that shares no name with those in ``taken``, and add it there."""
    while True:
        house = _one(SURNAME_HEADS, rng) + _one(SURNAME_TAILS, rng)
        if not any(house in other.split() for other in taken):
            taken.append(house)
            return f"{house} {_one(BROKER_TAILS, rng)}"


def found_company(sector: Sector, names: set[str], rng: np.random.Generator) -> Company:
    """Draw a company whose name and ticker are not in ``names``, and add them there."""
    stem = _stem(rng)
    while stem in names:
        stem = f"{_stem(rng)} {_stem(rng)}"
    names.add(stem)
    taken: list[str] = []
    segments = _some(sector.segments, int(rng.integers(2, 5)), rng)
    if not sector.segment_noun:  # a bank earns interest, whatever else it does
        first = sector.segments[0]
        segments = (first, *(name for name in segments if name != first))[: len(segments)]
    first_brand, second_brand = _some(BRAND_HEADS, 2, rng)
    return Company(
        name=f"{stem} {_one(sector.suffixes, rng)}",
        ticker=_ticker(stem.replace(" ", ""), names, rng),
        sector=sector,
        ceo=person(rng, taken),
        cfo=person(rng, taken),
        ir=person(rng, taken),
        segments=segments,
        products=_some(sector.products, 5, rng),
        brands=(first_brand + _one(BRAND_TAILS, rng), second_brand + _one(BRAND_TAILS, rng)),
        program=_one(PROGRAMS, rng),
        regions=_some(REGIONS, 4, rng),
    )


def _stem(rng: np.random.Generator) -> str:
    return _one(STEM_HEADS, rng) + _one(STEM_TAILS, rng)


def _ticker(stem: str, names: set[str], rng: np.random.Generator) -> str:
    """Draw four letters of the stem in their order; after 20 failures draw any five letters."""
    letters = stem.upper()
    for _ in range(20):
        places = sorted(rng.choice(np.arange(1, len(letters)), size=3, replace=False))
        ticker = letters[0] + "".join(letters[place] for place in places)
        if ticker not in names:
            break
    while ticker in names:
        ticker = "".join(chr(65 + int(code)) for code in rng.integers(0, 26, 5))
    names.add(ticker)
    return ticker


def _one(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _some(options: tuple[str, ...], n: int, rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(options[int(at)] for at in rng.permutation(len(options))[:n])

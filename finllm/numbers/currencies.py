"""Currency codes that can be mistaken for words, and cents by country.

The codes are read only in capitals and only next to an amount: "MAD 120 million" is money, "COP 28"
and "an IRR of 15%" are not. They are rewritten with a dollar sign, "mad$120 million", which marks
them for the reader of numbers.
"""

from __future__ import annotations

RARE_CODES = frozenset(
    "AFN ANG AOA AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BSD BTN BWP BYN BZD "
    "CDF CLF COP CRC CVE DJF DOP DZD ERN ETB FJD FKP GEL GHS GIP GMD GNF GTQ GYD HNL HRK HTG IQD "
    "IRR ISK JMD JOD KES KGS KHR KMF KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT "
    "MOP MRU MUR MVR MWK MZN NAD NIO NPR OMR PAB PEN PGK PKR PYG RON RSD RWF SBD SCR SDG SHP SLE "
    "SRD STN SYP SZL TJS TMT TND TRY TTD TZS UAH UGX UYU UZS VES VUV WST XAF XCD XOF "
    "XPF YER ZMW ZWG ZWL".split()
)
PREFIXED_DOLLARS = {  # "RD$5 million"
    "rd": "DOP",
    "tt": "TTD",
    "j": "JMD",
    "bz": "BZD",
    "ec": "XCD",
    "col": "COP",
    "arg": "ARS",
    "clp": "CLP",
    "ars": "ARS",
    "mxn": "MXN",
    "brl": "BRL",
    "hkd": "HKD",
    "nzd": "NZD",
    "twd": "TWD",
}
PREFIXED_DOLLARS |= {code.lower(): code for code in RARE_CODES}
CENTS = {
    "us": "USD",
    "u.s.": "USD",
    "american": "USD",
    "euro": "EUR",
    "australian": "AUD",
    "canadian": "CAD",
    "new zealand": "NZD",
    "nz": "NZD",
    "hong kong": "HKD",
    "hk": "HKD",
    "singapore": "SGD",
    "south african": "ZAR",
    "swiss": "CHF",
    "brazilian": "BRL",
    "mexican": "MXN",
}
LOCAL = "local"  # cents of the currency that the text uses most, or of the euro if it shows none
NATIONAL_CENTS = {
    f"{country} {cent}": code for country, code in CENTS.items() for cent in ("cent", "cents")
} | {"local cents": LOCAL}

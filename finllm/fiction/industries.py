"""Vocabularies of energy, industrials, medical devices, telecommunications; and all sectors."""

from __future__ import annotations

from finllm.fiction.accounts import Economics, KpiModel
from finllm.fiction.sectors import BANK, FOOD, RETAIL, SOFTWARE
from finllm.fiction.spoken import bank
from finllm.fiction.vocabulary import Kpi, Sector, listed

ENERGY = Sector(
    name="energy",
    revenue="total revenue",
    revenue_short="revenue",
    suffixes=listed("Petroleum; Energy; Resources; Oil & Gas; Exploration"),
    segments=listed("upstream; gathering and processing; marketing; field services; royalty"),
    segment_noun="revenue",
    economics=Economics(0.05, 0.42, 0.17, 0.17, 0.8, (1.02, 0.98, 0.99, 1.01)),
    kpis=(
        Kpi(
            "production",
            KpiModel("count", 205, 0.012),
            "{:,.0f}",
            bank("""
                * [production|output] averaged {v} barrels of oil equivalent per day, {from} {p} [a
                  year ago|in the same period last year]
                * [total|company-wide] volumes were {v} barrels of oil equivalent a day, {from} {p}
                  in [the prior-year|last year's] quarter
                """),
            "{q} production {v} barrels of oil equivalent per day",
        ),
        Kpi(
            "the average realization",
            KpiModel("each", 6700, 0),
            "${:.2f}",
            bank("""
                * [dividing revenue by volumes, we realized|that works out to a realization of] {v}
                  per barrel equivalent, {from} {p} [a year earlier|last year]
                * our [all-in|average] realization, [marketing included|including everything we
                  sell], was {v} a barrel equivalent, {from} {p} [a year ago|in {prior_year}]
                """),
            "{q} average realization {v} per barrel equivalent",
        ),
    ),
    products=listed(
        """the northern acreage; two-mile laterals; the Tarn Ridge pad; the gas plant; water
        recycling; the offshore tieback; our infill program; compression upgrades"""
    ),
    drivers=listed(
        """better well productivity; higher realized prices; faster cycle times; lower service
        costs; fewer unplanned shut-ins; narrower differentials"""
    ),
    headwinds=listed(
        """wider basis differentials; third-party plant downtime; winter weather; service cost
        inflation; steeper base decline; pipeline constraints"""
    ),
    customers=listed(
        """royalty owners; midstream partners; refiners; service contractors; our non-operated
        partners"""
    ),
    costs=listed("lease operating; workover; power; transportation"),
    themes=bank("""
        * We [turned|brought] [a dozen|nine|fourteen] wells [to sales|online] on {product}, and
          [early|initial] flow rates [sit|are running] [above|somewhat ahead of] the type curve.
        * Drilling days [came down|fell] again, as the [crews|rigs] working {product} [set|posted] a
          [company|field] record for footage in a single [run|day].
        * [Emissions|Methane] intensity [improved|fell], and [flaring|routine flaring] at {product}
          is [close to|approaching] nil.
        * We [added|layered on] [hedges|collars] for the [coming|next] winter, [which protects|to
          protect] the capital program [without giving up|while keeping] most of the upside.
        * [The base|Base production] [declined|fell off] [less|more slowly] than [budgeted|modeled],
          because [artificial lift|the workover effort] around {product} [paid off|is working].
        * [Permits|Regulatory approvals] for {brand} are [in hand|now complete], and [site work|road
          building] [starts|begins] once {region} [thaws|dries out].
        """),
    questions=bank("""
        * [Can you|Could you] [speak|talk] to well productivity on {product}, and [whether|if] the
          [spacing test|wider spacing] changes your [inventory|location] count?
        * How [flexible|elastic] is the capital budget if [prices weaken|the strip softens] from
          here? [At what price would you|Where would you] drop a rig?
        """),
    answers=bank("""
        * [It's early|We have ninety days of data], but the [wider|relaxed] spacing [gives
          us|yields] [better|stronger] wells for [less|lower] capital. [It does|That does]
          [take|remove] some locations [out of|from] the [tally|count], though the [value|net
          present value] per section is [higher|better], and [value|that] is what we [manage to|care
          about].
        * [Most of|Nearly all] our contracts roll within [two quarters|six months], so we can [move|
          respond] quickly. [We wouldn't|I would not] react to a [bad month|few weak weeks]. If the
          [strip|curve] stayed [well below|far beneath] our planning case, we would [pause|defer]
          work on {product} [first|before anything else].
        """),
)

INDUSTRIAL = Sector(
    name="industrials",
    revenue="net sales",
    revenue_short="sales",
    suffixes=listed("Industries; Machine Works; Controls; Manufacturing; Engineered Products"),
    segments=listed("motion control; fluid handling; aftermarket; test equipment; coatings"),
    segment_noun="sales",
    economics=Economics(0.055, 0.34, 0.125, 0.035, 0.4, (0.96, 1.01, 1.0, 1.03)),
    kpis=(
        Kpi(
            "the backlog",
            KpiModel("money", 2.3, 0.03),
            "",
            bank("""
                * backlog [stood at|was|ended the period at] {v}, {from} {p} [a year ago|at this
                  time last year]
                * we [carry|took] a backlog of {v} into the [new|coming] quarter, {from} {p} a year
                  [earlier|before]
                """),
            "quarter-end backlog {v}",
        ),
        Kpi(
            "organic sales",
            KpiModel("growth", 0, 0),
            "",
            bank("""
                * organic sales, [that is, at constant currency and without acquisitions|before
                  currency and deals], {moved}
                * [on a like-for-like basis|organically], sales {moved} [versus last year|]
                """),
            "{q} organic sales {moved}",
        ),
        Kpi(
            "on-time delivery",
            KpiModel("ratio", 94, 0.8),
            "{:.0f}%",
            bank("""
                * on-time delivery [ran at|was] {v}, {from} {p} [last year|a year ago]
                * [customers received|we shipped] {v} of [orders|lines] on time, {from} {p} [a year
                  earlier|in {prior_year}]
                """),
            "{q} on-time delivery {v}",
        ),
    ),
    products=listed(
        """servo drives; high-pressure pumps; retrofit kits; inspection cells; powder coatings;
        linear actuators; valve packages; remote monitoring"""
    ),
    drivers=listed(
        """favorable price over cost; higher aftermarket mix; better labor productivity; easing lead
        times; stronger project execution; factory consolidation savings"""
    ),
    headwinds=listed(
        """electronics shortages; distributor destocking; steel and alloy costs; project delays;
        under-absorbed overhead; a late-quarter shipment slip"""
    ),
    customers=listed(
        """machine builders; distributors; utilities; process plants; equipment makers"""
    ),
    costs=listed("steel; casting; freight; overtime"),
    themes=bank("""
        * [Orders|Order intake] for {product} [was broad-based|came from many end markets], [with
          the exception of|apart from] [agricultural|commercial vehicle] customers, [who are|where
          they are] working down stock.
        * The [lean|continuous-improvement] teams [freed|opened up] floor space at our
          [largest|main] plant, so that {product} [could|can] be [brought in-house|built under one
          roof].
        * {brand}, our [connected|sensor-based] service, [now covers|is installed on] thousands of
          assets, and it [pulls|brings] parts and [service|repair] revenue [with it|along].
        * [Supply chains|Component supply] [improved|loosened], but [a few|certain] [chips|castings]
          for {product} still [arrive late|hold up finished units].
        * We [booked|won] a [multi-year|three-year] [frame agreement|award] for {product} with
          {customers} in {region}.
        * [Quoting activity|The funnel] [remains|is] [healthy|active], [even if|although] [larger|
          big-ticket] projects [take longer|need more time] to [reach|get to] a purchase order.
        """),
    questions=bank("""
        * [On orders and backlog|On the backlog], how [quickly|fast] does it [convert|burn], and are
          you [seeing|hearing of] any cancellations in {segment}?
        * [Price versus cost|Price-cost], was it [positive|a help] this quarter, and how [should|do]
          we think about [steel|surcharges] rolling off [into|in] {next_quarter}?
        """),
    answers=bank("""
        * [Cancellations are negligible|We have seen next to no cancellations]. [About two
          thirds|Most] of it [ships|converts] within [three quarters|nine months], the [rest|longer
          tail] being [projects|engineered systems]. In {segment} lead times [came in|shortened], so
          {customers} [don't need to|no longer] order as far ahead, which [flatters nobody's|weighs
          on the] order comparison.
        * [It was a help|It was positive], mostly on carryover [actions|increases]. [As surcharges
          fade|When surcharges roll off], price [fades|comes down] with them, [but so does|as does]
          the cost, [leaving|so] dollars [whole|intact] even if the [ratio|percentage]
          [moves|changes] a little.
        """),
)

MEDICAL = Sector(
    name="medical devices",
    revenue="revenue",
    revenue_short="revenue",
    suffixes=listed("Medical; Surgical; Therapeutics Devices; Biosciences; Diagnostics"),
    segments=listed("orthopedics; cardiac rhythm; diagnostics; wound care; robotic surgery"),
    segment_noun="revenue",
    economics=Economics(0.085, 0.63, 0.14, 0.045, 0.2, (0.97, 1.0, 0.98, 1.05)),
    kpis=(
        Kpi(
            "procedure volume",
            KpiModel("count", 118, 0.015),
            "{:,.0f}",
            bank("""
                * [procedures|cases] using our systems [totaled|reached] {v}, {from} {p} [a year
                  ago|in the year-ago quarter]
                * surgeons performed {v} procedures [with|on] our [platforms|devices], {from} {p}
                  [last year|twelve months ago]
                """),
            "{q} procedure volume {v}",
        ),
        Kpi(
            "organic growth",
            KpiModel("growth", 0, 0),
            "",
            bank("""
                * at constant currency [and excluding the divested line|and on the same perimeter],
                  organic revenue {moved}
                * organic revenue, [which adjusts for|stripping out] currency and [deals|portfolio
                  moves], {moved}
                """),
            "{q} organic revenue {moved}",
        ),
    ),
    products=listed(
        """the cementless knee; the leadless pacer; the benchtop analyzer; negative-pressure
        dressings; the navigation arm; the bone scaffold; the cardiac monitor; rapid panels"""
    ),
    drivers=listed(
        """recovering elective procedures; favorable product mix; new hospital contracts; better
        sterilization yields; price discipline in implants; stronger capital placements"""
    ),
    headwinds=listed(
        """hospital staffing shortages; slower capital purchasing; tender pricing abroad;
        sterilization capacity limits; inflation in resins; lower testing demand"""
    ),
    customers=listed(
        """hospitals; surgeons; ambulatory centers; laboratories; group purchasing organizations"""
    ),
    costs=listed("sterilization; raw material; field service; clinical trial"),
    themes=bank("""
        * [Surgeon training|Training of surgeons] on {product} [is running|runs] ahead of plan, and
          [reorder|utilization] rates [at|in] trained sites are [encouraging|what we hoped for].
        * The [pivotal|follow-up] study of {brand} [completed enrollment|is fully enrolled], and we
          [expect to|plan to] [present|submit] data [at a spring congress|in the coming quarters].
        * [Regulators|Reviewers] [asked|came back with] [additional questions|a second list of
          questions] on {brand2}, which we [have answered|will answer] [in full|promptly]; the
          timing of clearance is [hard to call|outside our control].
        * [Ambulatory centers|Outpatient sites] [keep taking|are gaining] share from
          [inpatient|large hospital] settings, a [shift|migration] that {product} [should|will]
          benefit from.
        * We [expanded|added to] the field force in {region}, [ahead of|to prepare for] the
          [full|broader] launch of {product}.
        * [Supply|Product supply] of {product} [has normalized|is back to normal] after the
          [sterilizer|supplier] [outage|interruption] [earlier in the year|we told you about].
        """),
    questions=bank("""
        * [What are you|What do you] [assuming|baking in] for procedure [volumes|recovery], and are
          staffing [constraints|issues] at {customers} still [a drag|holding back cases]?
        * Can you [update us|give us an update] on {brand}, [both|] the regulatory [timeline|path]
          and how [big|large] the [launch|first year] could be?
        """),
    answers=bank("""
        * [Volumes|Cases] are [close to|near] what we would call normal in [most|many] [regions|
          markets], and the [backlog|pool of deferred patients] gives [some|a bit of] support.
          [Staffing is better|Nurse staffing has improved], but not [fixed|solved], so our
          [plan|model] [does not count on|excludes] any [catch-up|rebound].
        * The [file|submission] is [on track|moving], and we are in [regular|constructive] contact
          with the [agency|reviewers]. [I'd treat|Please treat] the first year as a
          [limited|controlled] launch, with [training|site selection] [setting the pace|as the
          bottleneck], [and|so] the contribution in {year} is [small|immaterial].
        """),
)

TELECOM = Sector(
    name="telecommunications",
    revenue="service revenue",
    revenue_short="service revenue",
    suffixes=listed("Communications; Broadband; Networks; Fiber; Wireless"),
    segments=listed("residential broadband; mobile; enterprise connectivity; wholesale; video"),
    segment_noun="revenue",
    economics=Economics(0.035, 0.57, 0.19, 0.16, 1.5, (0.99, 1.0, 1.0, 1.01)),
    kpis=(
        Kpi(
            "the subscriber count",
            KpiModel("count", 5200, 0.01),
            "{:,.0f}",
            bank("""
                * we [served|ended with] {v} subscribers, {from} {p} [a year ago|last year]
                * [total|period-end] subscriber relationships were {v}, {from} {p} [twelve months
                  ago|at the end of the prior-year quarter]
                """),
            "{v} subscribers at quarter end",
        ),
        Kpi(
            "monthly revenue per subscriber",
            KpiModel("each", 333_333.0, 0),
            "${:.2f}",
            bank("""
                * [monthly|average monthly] revenue per subscriber was {v}, {from} {p} [a year
                  ago|in {prior_year}]
                * ARPU, [on all services|across all lines], [came to|worked out at] {v} a month,
                  {from} {p} [a year earlier|last year]
                """),
            "{q} monthly revenue per subscriber {v}",
        ),
        Kpi(
            "churn",
            KpiModel("ratio", 1.35, 0.05),
            "{:.2f}%",
            bank("""
                * monthly churn [was|ran at] {v}, {from} {p} [a year ago|in the prior-year quarter]
                * [disconnects were contained|on retention], [with|we saw] churn of {v} a month,
                  {from} {p} [last year|a year earlier]
                """),
            "{q} churn {v}",
        ),
    ),
    products=listed(
        """gigabit fiber; fixed wireless; the family bundle; managed security; tower backhaul; the
        streaming box; small-business voice; the rural build"""
    ),
    drivers=listed(
        """higher speed-tier take-up; lower churn; bundle pricing; growth in fiber connections;
        fewer truck rolls; cheaper device subsidies"""
    ),
    headwinds=listed(
        """video cord-cutting; aggressive device promotions; copper disconnects; higher energy
        prices; slower enterprise decisions; permitting delays"""
    ),
    customers=listed(
        """subscribers; households; enterprise accounts; wholesale partners; rural customers"""
    ),
    costs=listed("content; energy; network maintenance; customer care"),
    themes=bank("""
        * [Crews|Our build crews] [passed|reached] [another|a further] [stretch|set] of homes in
          {region}, and take-up of {product} in [older|mature] cohorts [keeps rising|is still
          climbing].
        * {brand}, the [converged|single-bill] offer, [lowers|brings down] churn
          [noticeably|visibly], since [families|households] who [combine|bundle] {product} with
          mobile [rarely|seldom] leave.
        * The [copper|legacy] network is [shrinking|being switched off] [exchange by exchange|area
          by area], [taking|and with it goes] a [heavy|large] [maintenance|energy] bill.
        * [Promotional|Switcher] activity [picked up|got louder], and we [chose|preferred] to
          [protect value|keep pricing], which [cost|lost] us some gross additions in {product}.
        * [Care|Customer care] calls per account [fell|came down], as {brand2} [resolves|fixes] most
          [faults|complaints] without a technician.
        * We [signed|closed] a [long-dated|ten-year] capacity deal for {product} with {customers},
          which [underpins|helps pay for] the [route|build].
        """),
    questions=bank("""
        * How do you [see|view] the competitive [picture|backdrop] in {product}, [particularly|above
          all] the [cable|fixed wireless] [offers|promotions] we [see|notice] in {region}?
        * [On the build|On fiber], what are you [spending|paying] per home passed, and what
          penetration [do you need|is required] to [earn|make] your cost of capital?
        """),
    answers=bank("""
        * It is [intense|lively], [no question|and I won't pretend otherwise]. [Where we have|In
          areas with] {product}, we [win|take] our [fair share|share and more]; [where we do not|in
          the rest of the footprint], price [matters more|decides]. [We'd rather|We prefer to] add
          value to the bundle than [join|enter] a [discount race|price war].
        * [Cost per passing|The unit cost] is [stable|steady], since longer-dated [contracts|labor
          agreements] [offset|made up for] [dearer|more expensive] permits. [The returns|Returns]
          need a [take-up|penetration] [somewhat above|around] one third, and the [first|oldest]
          cohorts are [beyond|past] that [after two years|already].
        """),
)

SECTORS = (FOOD, RETAIL, SOFTWARE, BANK, ENERGY, INDUSTRIAL, MEDICAL, TELECOM)

"""Vocabularies of consumer staples, retail, software and banking."""

from __future__ import annotations

from finllm.fiction.accounts import Economics, KpiModel
from finllm.fiction.spoken import bank
from finllm.fiction.vocabulary import Kpi, Sector, listed

FOOD = Sector(
    name="consumer staples",
    revenue="net sales",
    revenue_short="sales",
    suffixes=listed("Foods; Provisions; Pantry Brands; Mills; Kitchens"),
    segments=listed("snacks; frozen meals; chilled dairy; beverages; pet nutrition"),
    segment_noun="sales",
    economics=Economics(0.045, 0.33, 0.115, 0.035, 0.45, (0.97, 0.98, 1.0, 1.05)),
    kpis=(
        Kpi(
            "organic sales growth",
            KpiModel("growth", 0, 0),
            "",
            bank("""
                * [on an organic basis, which strips out|looking through] currency and portfolio
                  changes, sales {moved}
                * organic {revenue} {moved} [in the period|over the three months|for the quarter]
                * [excluding|leaving aside] currency and [the brands we bought|acquired lines],
                  organic sales {moved}
                """),
            "{q} organic sales {moved}",
        ),
        Kpi(
            "market share",
            KpiModel("ratio", 18.4, 0.35),
            "{:.1f}%",
            bank("""
                * our [weighted|combined] dollar share across [tracked|measured] categories was {v},
                  {from} {p} [a year ago|twelve months earlier]
                * [scanner data put|the latest panel data put] our [blended|overall] market share at
                  {v}, {from} {p} in [the same weeks of|] {prior_year}
                """),
            "{q} market share {v}",
        ),
    ),
    products=listed(
        """granola clusters; high-protein yogurt cups; oven-ready vegetable bowls; lentil chips;
        cold-pressed juices; grain-free kibble; oat creamers; family-size lasagna"""
    ),
    drivers=listed(
        """[better|improved] price realization; stronger volume in club stores; a richer pack mix;
        more effective trade promotion; wider distribution in convenience outlets; a step-up in
        at-home breakfast occasions"""
    ),
    headwinds=listed(
        """edible oil inflation; higher freight rates; a poor oat harvest; retailer destocking;
        wider private-label price gaps; dearer resin and cartons"""
    ),
    customers=listed("grocers; shoppers; club stores; foodservice distributors; households"),
    costs=listed("commodity; packaging; freight; plant labor"),
    themes=bank("""
        * [Household penetration|Repeat purchase] of {brand} [improved again|moved higher], and
          [retail partners|our grocery customers] gave us [more shelf feet|a second facing] for
          {product} [at the spring reset|in the autumn reset|ahead of the holidays].
        * We [retired|pruned] [slow-moving|marginal] items from the range, and the [freed|open] line
          time went [straight|directly] into {product}, where [fill rates|service levels] had [been
          too low|disappointed our customers].
        * Elasticities [have stayed|remain] [in line with|a touch better than] our models, although
          [lower-income households are|a part of our shoppers is] clearly trading into [value
          packs|smaller sizes].
        * {brand2} [won|took home] two [category awards|retailer innovation prizes], which [matters
          because|is nice, but what counts is that] velocity per store [keeps building|is rising].
        * [Advertising|Consumer marketing] went up [meaningfully|again], with most of it behind
          {brand} and the [relaunch|new look] of {brand2}.
        * [The new line|Our second line] for {product} [started up on time|is now running three
          shifts], which [takes out|removes] the co-packer we had been [relying on|paying].
        """),
    questions=bank("""
        * [Could you|Can you] [unpack|break down] volume versus price for us? [I am wondering|We are
          trying to understand] how much elasticity you [saw|are seeing] in {segment}, and whether
          the gap to private label [changes your thinking|worries you].
        * What are [grocers|your retail customers] telling you about [shelf resets|inventory]? [Some
          of your peers|Others in the group] have [talked about|flagged] destocking, and I'd like to
          know [if you've seen it|where you stand].
        """),
    answers=bank("""
        * [Price carried more of the load than volume|Price did more of the work than volume did],
          [as we planned|which is what we told you to expect]. In {segment} the
          [response|elasticity] was [milder|gentler] than the [history|old curves] would suggest,
          and where gaps to store brands got too wide we [went back in|responded] with [sharper
          promotions|targeted couponing] rather than [list price cuts|touching the list price].
        * [Inventory|Stock] at retail is [in good shape|where it should be], with the exception of
          [one large account|a couple of club customers] that [took out|trimmed] some weeks of
          supply. [Consumption ran ahead of shipments|Takeaway was better than what we shipped] in
          {segment}, so [if anything|on balance] we would expect that to [come back|normalize].
        """),
)

RETAIL = Sector(
    name="retail",
    revenue="net sales",
    revenue_short="sales",
    suffixes=listed("Outfitters; Home Stores; Market Halls; Retail Group; Trading"),
    segments=listed("apparel; home furnishings; outdoor; beauty; seasonal goods"),
    segment_noun="sales",
    economics=Economics(0.04, 0.38, 0.065, 0.03, 0.15, (0.86, 0.94, 0.95, 1.25)),
    kpis=(
        Kpi(
            "same-store sales",
            KpiModel("growth", 0, 0),
            "",
            bank("""
                * same-store sales {moved} [in the quarter|for the period|across the chain]
                * [turning to comparable sales|on comps], [we measure stores open at least fourteen
                  months, and those sales|the mature base] {moved}
                * comparable-store sales, [our preferred yardstick|which include the digital
                  channel], {moved}
                """),
            "{q} same-store sales {moved}",
        ),
        Kpi(
            "the store count",
            KpiModel("count", 0.45, 0.01),
            "{:,.0f}",
            bank("""
                * we [closed|finished|ended] the [quarter|period] with {v} stores, {from} {p} [a
                  year ago|at this point last year]
                * our [fleet|store base] stood at {v} locations at quarter end, {from} {p} twelve
                  months [before|earlier]
                """),
            "ended quarter with {v} stores",
        ),
        Kpi(
            "digital penetration",
            KpiModel("ratio", 27.0, 0.6),
            "{:.1f}%",
            bank("""
                * digital [penetration|orders] came to {v} of sales, {from} {p} in the
                  [prior-year|year- ago] quarter
                * [online|e-commerce] was {v} of the [total|mix], {from} {p} [last year|a year ago]
                """),
            "{q} digital share of sales {v}",
        ),
    ),
    products=listed(
        """linen separates; modular sofas; trail footwear; fragrance sets; patio heaters; denim;
        kids' outerwear; storage systems"""
    ),
    drivers=listed(
        """fewer markdowns; a higher average basket; better in-stock positions; [strong|solid]
        traffic in suburban stores; loyalty members' repeat visits; a cleaner seasonal transition"""
    ),
    headwinds=listed(
        """a warm autumn; elevated shrink; port delays; softer big-ticket demand; higher clearance
        activity; wage inflation in our stores"""
    ),
    customers=listed(
        "shoppers; loyalty members; younger families; guests; value-seeking customers"
    ),
    costs=listed("store payroll; ocean freight; fulfillment; occupancy"),
    themes=bank("""
        * [Traffic|Footfall] [built|improved] [month by month|through the quarter], and shoppers who
          came for {product} [left with|added] something else, which [shows|is visible] in units per
          transaction.
        * {brand}, our [largest|biggest] private label, [was a standout|led the assortment], and we
          [have chased|are chasing] receipts in {product} [to stay in stock|for the coming season].
        * We [remodeled|refreshed] another [group|cohort] of stores; the [new format|layout] puts
          {product} at the front and [gives|devotes] a third of the floor to {brand2}.
        * Our loyalty program [now drives|accounts for] most transactions, and [members|enrolled
          customers] visit [roughly twice as often as|far more frequently than]
          [others|non-members].
        * [Ship-from-store|Same-day pickup] is [live|up and running] in nearly every market, which
          [cuts|takes] days out of delivery and [saves|avoids] split shipments.
        * [Inventory|Stock on hand] is [clean|well positioned], with [less|a lower share of] aged
          product than we had [a year ago|at this time last year].
        """),
    questions=bank("""
        * How did [comps|same-store sales] trend through the quarter, [month by month|by month], and
          what [can you share|would you say] about the first weeks of the [current|new] quarter?
        * [On markdowns|On promotions], [where are you|how do you stand] against [history|plan], and
          is there [still room|anything left] to [pull back|be more surgical] in {segment}?
        """),
    answers=bank("""
        * [The exit rate was better than the entry|We left the quarter faster than we came in], with
          the [middle|second] month the [weakest|softest] because of [weather|a calendar shift]. [I
          won't give a number|We don't guide by month], but the [new|current] quarter has [opened|
          begun] in a way that is [consistent with|fully reflected in] the outlook we gave.
        * We took [fewer|less] [promotional days|clearance events] in {segment} and [the customer
          barely noticed|conversion held up]. There is more to do on [initial pricing|localized
          assortments], but [I'd caution|I would say] that some [competitive response|vendor
          support] [will come and go|is hard to forecast].
        """),
)

SOFTWARE = Sector(
    name="software",
    revenue="total revenue",
    revenue_short="revenue",
    suffixes=listed("Systems; Cloud; Software; Data Labs; Digital"),
    segments=listed("subscription; professional services; marketplace; maintenance; payments"),
    segment_noun="revenue",
    economics=Economics(0.15, 0.71, 0.08, 0.02, -0.3, (0.97, 0.99, 1.0, 1.04)),
    kpis=(
        Kpi(
            "annual recurring revenue",
            KpiModel("money", 3.7, 0.015),
            "",
            bank("""
                * annual recurring revenue [ended|finished|closed] the quarter at {v}, {from} {p} a
                  year [ago|earlier]
                * we [exited|left] the quarter with ARR of {v}, {from} {p} [a year ago|in
                  {prior_year}]
                """),
            "annual recurring revenue {v} at quarter end",
        ),
        Kpi(
            "net revenue retention",
            KpiModel("ratio", 109, 1.2),
            "{:.0f}%",
            bank("""
                * [trailing-twelve-month|dollar-based] net revenue retention was {v}, {from} {p}
                  [last year|in the year-ago period]
                * net retention [printed at|came in at] {v}, {from} {p} [a year ago|four quarters
                  ago]
                """),
            "{q} net revenue retention {v}",
        ),
        Kpi(
            "the number of large customers",
            KpiModel("count", 2.1, 0.02),
            "{:,.0f}",
            bank("""
                * customers paying us more than $100,000 a year [numbered|now number] {v}, {from}
                  {p} [a year ago|last year]
                * we [now|] count {v} customers above $100,000 in annual spend, {from} {p} [a year
                  earlier|twelve months back]
                """),
            "{q} count of large customers {v}",
        ),
    ),
    products=listed(
        """workflow automation; the analytics module; identity governance; the developer console;
        contract intelligence; usage-based storage; the compliance suite; the mobile client"""
    ),
    drivers=listed(
        """larger initial deals; healthy seat expansion; multi-product adoption; lower hosting cost
        per tenant; better renewal rates; faster partner-led implementations"""
    ),
    headwinds=listed(
        """longer approval cycles; seat reductions at renewal; smaller initial lands; cloud hosting
        costs; weaker small-business demand; pushed-out services projects"""
    ),
    customers=listed(
        """enterprise customers; mid-market accounts; chief information officers; new clients;
        public sector clients"""
    ),
    costs=listed("hosting; engineering headcount; sales commission; support"),
    themes=bank("""
        * [Attach rates|Adoption] for {product} [doubled|rose sharply] among [new|recent] customers,
          and [more than half|a majority] of large deals [carried|included] {brand}.
        * We [shipped|released] [dozens of features|a major version] of {brand2}, [including|with] a
          [rebuilt|redesigned] engine for {product} that [cuts|shortens] set-up from weeks to days.
        * [Pipeline|The pipeline] [is healthy|grew again], but {customers} are [scrutinizing|looking
          hard at] every purchase, and [more signatures|additional sign-offs] are [needed|required].
        * [Partners sourced|The channel brought in] a [growing|larger] share of bookings, led by
          [integrators|resellers] in {region}.
        * Our [early-access|preview] program for {brand} [filled up|was oversubscribed] within days,
          and [the feedback|what we hear] on {product} has been [candid and useful|encouraging].
        * [Gross churn|Logo churn] was [concentrated|confined] [among|to] very small accounts that
          [never|hardly] used {product}.
        """),
    questions=bank("""
        * [I wanted to ask about|Can we talk about] net retention. [Where do you see it
          bottoming|How should it develop], and [what are you seeing|what's happening] on seat
          counts as {customers} [come up for renewal|renew]?
        * How are sales cycles [tracking|behaving]? [Last quarter|Ninety days ago] you [mentioned|
          called out] extra approvals, and I wonder if {product} deals are [closing|getting done]
          any faster.
        """),
    answers=bank("""
        * Expansion is [doing the heavy lifting|what moves the number], and the [headwind|drag] from
          seat [reductions|trimming] is [easing|smaller than it was]. [It's a trailing
          metric|Remember that it looks back twelve months], so [even|] a [good|better] quarter
          takes time to show. I would [watch|look at] the attach of {product} as the [leading|early]
          sign.
        * They are [about the same|no worse, no better], [to be candid|honestly]. [Deals get
          done|Business closes], but with [a finance sponsor|the finance team] in the room. What
          [helped|worked] is that {brand} can [start small|land in one team] and [prove|show] a
          return before the [larger|enterprise] agreement is signed.
        """),
)

BANK = Sector(
    name="banking",
    revenue="total revenue",
    revenue_short="revenue",
    suffixes=listed("Bancorp; Financial; Savings Bank; Bankshares"),
    segments=listed(
        """net interest income; wealth management fees; card and payment fees; mortgage banking
        income; treasury services fees"""
    ),
    units=listed(
        """commercial lending; wealth management; cards and payments; mortgage banking; treasury
        services"""
    ),
    segment_noun="",
    economics=Economics(0.055, 0.9, 0.33, 0.01, 0.1, (1.0, 1.0, 1.0, 1.0)),
    kpis=(
        Kpi(
            "the net interest margin",
            KpiModel("ratio", 3.35, 0.06),
            "{:.2f}%",
            bank("""
                * [the|our] net interest margin was {v}, {from} {p} in [the year-ago|last year's]
                  quarter
                * on a [tax-equivalent|fully taxable-equivalent] basis, net interest margin came to
                  {v}, {from} {p} [a year ago|twelve months before]
                """),
            "{q} net interest margin {v}",
        ),
        Kpi(
            "period-end deposits",
            KpiModel("money", 21, 0.012),
            "",
            bank("""
                * [total|period-end] deposits [stood at|were] {v}, {from} {p} [a year ago|at the
                  same date last year]
                * deposits [closed|finished] the quarter at {v}, {from} {p} [a year earlier|last
                  year]
                """),
            "quarter-end deposits {v}",
        ),
        Kpi(
            "net charge-offs",
            KpiModel("ratio", 0.34, 0.02),
            "{:.2f}%",
            bank("""
                * [annualized|] net charge-offs [ran at|were] {v} of average loans, {from} {p} [a
                  year ago|in {prior_year}]
                * [credit costs remain|credit remains] [well behaved|manageable]: net charge-offs
                  were {v} of loans, {from} {p} [last year|a year earlier]
                """),
            "{q} net charge-offs {v}",
        ),
    ),
    products=listed(
        """equipment finance; small-business lending; treasury services; the mobile account;
        construction lending; trust services; specialty deposits; dealer finance"""
    ),
    drivers=listed(
        """higher asset yields; disciplined deposit pricing; commercial loan growth; stronger card
        activity; lower funding costs; better fee capture"""
    ),
    headwinds=listed(
        """deposit competition; lower mortgage volumes; office property exposure; higher funding
        costs; muted loan demand; regulatory assessments"""
    ),
    customers=listed(
        """commercial clients; depositors; small-business owners; middle-market borrowers;
        households"""
    ),
    costs=listed("compensation; technology; occupancy; deposit insurance"),
    themes=bank("""
        * [Loan pipelines|Commercial pipelines] [rebuilt|firmed up] [late in|toward the end of] the
          quarter, led by {product} and by [relationships|referrals] in {region}.
        * We [held the line|stayed disciplined] on {product} pricing, and [let some balances|allowed
          rate-sensitive money to] [go|leave] rather than [chase|match] offers that made no
          [economic sense|money].
        * [Credit quality|Asset quality] is [sound|stable], and the [watch list|criticized book] is
          [granular|spread over many names], although we are [watching|monitoring] office closely.
        * {brand}, our [digital|mobile] account, [opened|brought in] [more|most of the] new
          relationships, and [half|a good part] of those [customers|households] also took {product}.
        * [Capital|Our capital position] [gives us room to|lets us] [support|serve] {customers}
          while [others|weaker lenders] are [pulling back|retrenching].
        * We [closed|consolidated] [a handful of|several] branches and [put|redeployed] the savings
          [to work in|into] {brand2} and [fraud tools|data security].
        """),
    questions=bank("""
        * [Could you|Would you] walk us through [deposit betas|deposit pricing] and where you
          [think| expect] the margin [settles|bottoms] if rates [stay here|move lower]?
        * On credit, [what are you seeing|how do you feel] in commercial real estate, [particularly|
          especially] office, and [is the reserve|are reserves] where you [want it|want them] to be?
        """),
    answers=bank("""
        * [Betas have moved as we modeled|Deposit costs behaved about as modeled], with [clients|
          balances] still [drifting|migrating] into certificates, though [at a slower pace|less
          quickly]. [We don't guide to a point estimate|I won't pin it to a basis point], but [most
          of the repricing|the bulk of it] [is behind us|has happened], and asset yields [keep
          rolling up|still have room to reprice].
        * Office is a [small|modest] part of the book, [mostly|largely] suburban and [with
          guarantors|with recourse]. We [re-underwrote|looked through] every [large|sizable] loan
          that [matures|comes due] in the next eighteen months. [We're comfortable|I am comfortable]
          with the reserve, [and yet|but] I won't [promise|tell you] it can't [go up|be lumpy].
        """),
)

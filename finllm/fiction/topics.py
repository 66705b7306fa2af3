"""Questions that analysts ask any company, with answers, and short follow-ups with replies."""

from __future__ import annotations

from dataclasses import dataclass

from finllm.fiction.spoken import bank


@dataclass(frozen=True)
class Topic:
    """A subject of questions; every bank has patterns for ``Voice.fill``."""

    who: str  # who answers: "ceo" or "cfo"
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    follow_up: tuple[str, ...]
    reply: tuple[str, ...]
    banks: bool = True  # whether banks are asked about it


TOPICS = (
    Topic(
        "cfo",
        bank("""
            * [I wanted to dig into|Can we go deeper on] gross margin. [How much|What part] of the
              [move|change] [was|came from] {driver}, and [what|how much] is [structural|here to
              stay] as {cost} costs [develop|evolve|settle]?
            * [Help me|Please help us] with the [puts and takes|moving parts] in gross margin. [I
              can see|We all see] {headwind} [in there|working against you], [but|and yet]
              [presumably|surely] {driver} gave [something|a little] back?
            """),
        bank("""
            * [Roughly|About|Call it] half is [mix|structural], [the remainder|the other half] [is
              timing|comes and goes]. {cost_cap} [costs|inflation] [will be|remains] [with us|a
              factor] for [some time|a couple of quarters|a while], and [we hedge|we have covered]
              [part of|most of|a share of] the [near-term|coming] need. [Beyond that|After that],
              {program} [is the lever|gives us something to work with|should help]. [I would
              not|Please don't] [extrapolate|annualize] a single quarter.
            * [Think of it|I think of it] in [layers|buckets]. [The first|One] is {driver}, which
              [I'd call|is] [durable|lasting]. [The second|Another] is {headwind}, and that
              [depends|hinges] on [things|markets] [we don't control|outside our walls]. [What's
              left|The residual] is [absorption|scheduling], [quarter to quarter|which is noisy].
            """),
        bank("""
            * [How much of|What share of] {cost} spending is [fixed|under contract] [for|through]
              {next_year}?
            """),
        bank("""
            * [A bit over|Just under|Close to] half, [the usual level|as is normal] [for us|at this
              point].
            """),
        banks=False,
    ),
    Topic(
        "cfo",
        bank("""
            * [On|Regarding] the outlook, what [would|has to happen to] [get|bring] you to the
              [high|upper|better] end, and what would [keep|leave] you at the [bottom|low end]? [Is
              it mostly|Would it be] {headwind}, or [something else|other things too]?
            * [How conservative|How cautious] is the [outlook|forecast], [really|in your mind]? [I
              ask|We ask] because [your commentary|what you said] on {region} [was|sounded]
              [upbeat|better], [while| but] the [range|guide] [does not|doesn't seem to]
              [show|reflect] [much of it|that].
            """),
        bank("""
            * The [upper|high|better] end needs {driver} to [hold|carry on|last] and {customers} to
              [keep ordering|stay engaged]. [At|Toward] the [bottom|low end] you would [see|have]
              {headwind} [getting worse|spreading] and [some|a few] [orders|decisions]
              [sliding|moving] [out|to the right]. [The middle|The midpoint] is [what we run|how we
              run] the [company|business] to, [no heroics|nothing heroic] [needed|required].
            * [I'd call it|We think it is] balanced. [We take|The inputs are] what we [know|see]
              [today|right now], {headwind} included, [and|then] we [leave|allow] [room|space] for
              [one or two|a few] [surprises|things that go wrong]. Should {driver} [run|come in]
              [ahead|stronger], [you will hear|we'll tell you] [in|at] the next [call|update].
            """),
        bank("""
            * [Does|And does] that [view|outlook] [include|allow for] any [benefit|help] from
              {program}?
            """),
        bank("""
            * [A modest amount|A little], [mostly|all of it] [late in|toward the end of] the
              [period|year].
            """),
    ),
    Topic(
        "cfo",
        bank("""
            * [How do you think|What is your thinking] about capital allocation [here|from
              here|now]? [Looking at|With] [the|your] balance sheet, is the [next|marginal] dollar
              [better spent|going] on {product} or [returned|back] to [owners|shareholders]?
            * [Could you|Would you] [rank|order] your [uses|priorities] for cash? [Investors ask|I
              get asked] [a lot|often] [whether|if] [deals|acquisitions] or [buybacks|debt paydown]
              [come|rank] [first| higher], [given|with] where [rates|valuations] are.
            """),
        bank("""
            * [First call|The first call] on cash is [the business|our own projects], [and|where]
              {product} should [earn|return] [more than|well above] our hurdle. [Then|After that]
              [we turn to|comes] the balance sheet, [and then|only then]
              [distributions|shareholders]. We [look at|review] [bolt-on|small] deals [all the
              time|constantly], [though|but] [sellers'|asking] prices [are| remain] [rich|hard to
              justify].
            * [Nothing new|There is no change] in the [order|ranking]: [maintain|look after] [what
              we own|our assets], [grow|invest in] {segment}, [keep|hold] the rating [safe|where it
              is], and [hand back|return] [the rest|what is left]. [On deals|As for acquisitions],
              [we've walked|we walked] away from more than we [signed|did], {region} [being|was] the
              [latest|most recent] [example|case].
            """),
        bank("""
            * [What leverage|What level of leverage] [are you|would you be] [comfortable|at ease]
              with?
            """),
        bank("""
            * [Somewhat|A little] [below|under] where [lenders|the covenants] would [let us|allow us
              to] go; [we like|I like] to sleep [well|at night].
            """),
    ),
    Topic(
        "ceo",
        bank("""
            * [Could you|Can you] [talk|speak] about demand by [region|geography]? [It sounds
              like|You suggested] {region} [did better|held up], and I'm [curious|wondering] how the
              [new|current] quarter [looks|has begun|shapes up].
            * [Where|In which places] [are you|do you feel] [most|more] [confident|comfortable],
              [and where|or] [least so|less so]? [I'm thinking|We think] of {region} in particular,
              [since|as] [other companies|your peers] [have been|sounded] [gloomier|more negative].
            """),
        bank("""
            * [We saw|There was] [no dramatic|little] difference, except that {region} [ran|came in]
              [a bit| somewhat] ahead, [led by|on the back of] {product}. [Elsewhere|In other
              places], {customers} are [selective|careful]. [It's early|We are only weeks in],
              [and|but] [what we see|the order pattern] is [within|consistent with] [our plan|what
              {cfo_first} laid out].
            * {region_cap} [surprised us|came in ahead of plan], [helped|aided] by {driver}. [I'd
              temper|Let me temper] that by [saying|noting] the [comparison|base] [there|in that
              market] [was easy|was soft]. [The rest|Other markets] [moved|behaved] [together|much
              alike], and [so far|to date] [the new|this] quarter [has no|shows no] [big|real]
              [break|turn] [in trend|either way].
            """),
        bank("""
            * [Is|And is] {segment} [running|tracking] [behind|ahead of] [plan|your plan] [there|as
              well]?
            """),
        bank("""
            * [Close to plan|On plan], [with|allowing for] [some|a bit of] [noise|lumpiness] [month
              to month|by month].
            """),
    ),
    Topic(
        "ceo",
        bank("""
            * [What has changed|What are you seeing] in the competitive [landscape|environment]? [We
              hear|Our checks say] that [a rival|one of the larger players] is [cutting price|more
              aggressive] [in|around] {product}.
            * [Any|Is there any] [thought|comment] on [share|market share] in {segment}? [It looks
              like|My numbers say] you [held|kept] [yours|your position], [even as|although] [a
              new|another] [entrant|competitor] [opened|set up] in {region}.
            """),
        bank("""
            * [There is always|We always have] someone [trying to buy|buying] share. [We have|We've]
              [seen it|been there] before, [and it rarely|it seldom] lasts. {customers_cap} [tell
              us|say] they [choose|pick] {brand} for [reliability|service], so [I won't|we will not]
              [chase|follow] [every|each] [offer|discount] down. [Where|If] a [core|key] account is
              at stake, we [defend|protect] it.
            * [I have|We have] [respect|regard] for [them|everyone we compete with], [and|but] we
              [win|do well] [where|when] [service|response time] [counts|decides]. {brand2}
              [helps|gives us an edge] there. [What we|The thing we] [will not do|won't do] is
              [buy|rent] [volume|share] at a [loss|negative margin] in {region}, [however|no matter
              how] [tempting|noisy] [it gets|things become].
            """),
        bank("""
            * [Have you lost|Did you lose] any [accounts|business] [over|because of] [it|that]?
            """),
        bank("""
            * [One or two|A couple of|Some] [small|lesser] ones, [and|but] [we have|we've] won
              [others|more] [since|in return].
            """),
    ),
    Topic(
        "cfo",
        bank("""
            * [Working capital|Cash conversion] [moved|swung] [a lot|around] this quarter. [Can
              you|Would you] [walk|take] us through [the pieces|what drove it], and [how|where] free
              cash flow [develops|goes] [from here|into {next_year}]?
            * [A question|One] on [cash|liquidity]. [How much|What portion] of the [change|swing] in
              [receivables| working capital] [reverses|comes back], and [do you|would you]
              [need|want] [more|extra] stock [to support|for] {product}?
            """),
        bank("""
            * [Most of it|Much of it] is [timing|the calendar]: [collections|receipts] [fell|landed]
              on the [other|far] side of the [period end|cut-off], and we [built|carried]
              [some|extra] [reserves| buffer] for {product}. Depreciation[|, for your model,] was
              {depreciation}. [Over a full year|Across twelve months] I [expect|would expect]
              conversion to [look|be] [normal|unremarkable].
            * [It was|We had] [a matter of|mostly] [days|cut-off dates]. [One|A] [large|sizable]
              [payment| receipt] [slipped|moved] [past|over] the [quarter end|line], [and|while]
              [supplier|vendor] terms in {region} [shortened|got shorter]. [For|In] your
              [models|spreadsheets], [take|use] depreciation of {depreciation} [as a guide|as the
              base].
            """),
        bank("""
            * [And|So] capital spending [stays|remains] [near|around] [this|the current]
              [level|pace]?
            """),
        bank("""
            * [Give or take|Broadly], yes; [some|a few] [projects|phases] [shift|move]
              [between|across] quarters.
            """),
        banks=False,
    ),
    Topic(
        "ceo",
        bank("""
            * [Where are you|How far along are you] with {program}? [Ninety days ago|Last time] you
              [said|told us] that [the savings|benefits] [would build|were back-end loaded], and
              [I'd like to know|I wonder] what is [left|still to come].
            * [Is|So is] {program} [moving|progressing] [as fast as|at the speed] [you want|you had
              hoped]? [And|Then] [which|what] part [was harder|proved harder] than [expected|it
              looked], [the people|systems] or [the sites|{segment}]?
            """),
        bank("""
            * We are [past|beyond] the [halfway|mid] point [by|in terms of] actions, [less|not as
              far] [by|in terms of] savings, [because|since] [leases|notice periods] [take|need]
              time to [expire|run off]. {segment_cap} is [next|the next area], [then|followed by]
              the [shared|central] functions in {region}. [We'll reinvest|The plan is to reinvest]
              [part|some] of it in {product}.
            * [Faster|Quicker] in {region}, [slower|less quick] [elsewhere|in other places].
              [Moving|Migrating] {segment} [onto|to] [one|a single] [platform|system] [took|needed]
              more [care|testing] than [we drew up|the plan said]. [The money|The benefit] [is
              real|does show up], [you can|and you will] [find|see] it in {cost} [first|before
              anywhere else].
            """),
        bank("""
            * [Will|Do] the [cash costs|costs to get there] [end|stop] [this year|with this year]?
            """),
        bank("""
            * [Most|The greater part] [will|should]; [a tail|a small remainder] [runs|spills] into
              the [following|next] one.
            """),
    ),
    Topic(
        "ceo",
        bank("""
            * [Maybe|Perhaps] a [bigger-picture|longer-term] [one|question]. [How|In what way]
              [will|could] {product} [change|alter] the [profile|mix] of {segment} [over|in]
              [three|five] years, and [what|which] [milestones|signposts] should [investors|we]
              [track|look for]?
            * [Stepping back|If I step back], [what does {company} look like|how does {company}
              look] [in|after] [a few| several] years, [if|assuming] {brand} [works|succeeds]? [Is
              {segment} still|Would {segment} still be] the [largest|biggest] [piece|part]?
            """),
        bank("""
            * [I'd look|Look] at [three|a few] things: [whether|how quickly] {customers} [adopt|take
              up] {product}, [how often|whether] they [come back|reorder], and [what|the price] they
              [pay|are willing to pay]. [If|As long as] [those|these] [move|trend] [the right
              way|well], {segment} [becomes|turns into] a [larger|bigger], [steadier|less cyclical]
              part of {company}. [It will not|That won't] [happen|come] [overnight|in a quarter or
              two].
            * [Less|It will be less] [dependent|reliant] on [any one|a single] [product|market], [I
              hope|if we do our job]. {brand} [can|could] [open|bring] [doors|conversations] that
              {product} [alone|by itself] [never did|could not], [chiefly|above all] in {region}.
              [Ask me|Come back] [again|to me] [when|once] we have [a year|two years] of
              [renewals|history].
            """),
        bank("""
            * [And|So] [would you|might you] [break|split] it out [separately|as a segment] [one
              day|in time]?
            """),
        bank("""
            * [When|Once] it is [material|large enough], [certainly|of course]; [it isn't|it's not]
              [yet|there today].
            """),
    ),
    Topic(
        "cfo",
        bank("""
            * [Can I ask|I'd like to ask] about [overhead|operating expenses]? [They|It seems they]
              [ran|came in] [away from what we modeled|not quite where we had them|off our numbers],
              and [I want|I am trying] to [understand|see] the [run rate|right base] for the
              {next_quarter}.
            * [What's|What is] the right [way|approach] to [model|forecast] [spending|overhead]
              [for|in] the {next_quarter}? [You have|There's] {program} [on one side|taking cost
              out] and {brand} [on the other|putting some back].
            """),
        bank("""
            * [Two|A couple of] items [distort|cloud] the [picture|comparison]. [Incentive|Bonus]
              accruals [were trued up|moved], and [we pulled forward|there was] [some|a bit of]
              spending on {brand}. [Net of that|Without those], [costs|the underlying number]
              [moved|tracked] [with|in line with] [headcount|activity]. [Seasonally|As a matter of
              season], the {next_quarter} [tends to|will] look [a little|somewhat] different.
            * [I'd take|Take] this quarter [and adjust|as a base, adjusting] for {cost}, where [a
              rate|an annual] [increase|step-up] [kicks in|lands]. [Against that|On the other hand],
              {program} [takes|removes] [some|a slice of] [layers|duplicate work] in {segment}. [I
              don't|We don't] [see|expect] the ratio to [move|swing] [wildly|by much].
            """),
        bank("""
            * [What about|How about] hiring? [Still|Is it still] [frozen|selective]?
            """),
        bank("""
            * [Selective|Targeted], [yes|that's right]; [we fill|we are filling] [roles|jobs] that
              [touch|serve] {customers}.
            """),
    ),
    Topic(
        "ceo",
        bank("""
            * [Back to|Coming back to] {segment}: [what's|what is] [really|] [going on|happening]
              there? [Is it|Do you see it as] [the market|cyclical], or [something|an issue] [you
              can fix|of your own making]?
            * {segment_cap} [seems to|appears to] [puzzle|divide] [people|investors]. [Could
              you|Would you] [explain|describe] [what|which factors] [drove|moved] it, and
              [whether|if] {headwind} [still|continues to] [weigh|matter]?
            """),
        bank("""
            * [Some of each|Both, I would say]. [The market|The cycle] [explains|is] the
              [larger|bigger] part, [but|and yet] we [also|] [left|lost] [business|some orders] by
              being [slow|late] on {product}. [A new team is in place|We have a new head of sales]
              [there|] [since the summer|for some months now]. [Give us|I'd ask for] [two or three|a
              few] quarters [to show|before judging] [results|the effect].
            * [It is|I see] [a portfolio|a mix] of [stories|pieces]. {product_cap} [did|performed]
              [well|as hoped], [whereas|but] [older|mature] lines [suffered|felt it] from
              {headwind}. [We are|The team is] [shifting|moving] [people|resources] [toward|to] what
              [works|grows], [beginning|starting] in {region}.
            """),
        bank("""
            * [Would you|Do you] [consider|think about] [selling|exiting] [parts of it|some of it]?
            """),
        bank("""
            * [We review|The board reviews] the portfolio [every|each] year, and [there is|we have]
              nothing to [announce|report].
            """),
    ),
    Topic(
        "cfo",
        bank("""
            * [How should we|How do we] [model|think about] the [tax|interest] [line|lines], and is
              there anything [unusual|one-time] [we should|to] [strip out|normalize] [for|in] the
              {next_quarter}?
            * [A housekeeping|One modeling] [question|item], [please|if I may]. [What|Which] tax
              [rate|level] and [interest|financing] [cost|charge] [would you|do you] [pencil in|use]
              from here?
            """),
        bank("""
            * [On tax|As for tax], [use|I would use] something [near|close to] [this quarter's|the
              current] rate; [it moves|it can move] with [where|the places where] we [earn|make]
              money. [Interest|Net interest] [follows|depends on] the debt [balance|level], and
              [about|roughly] [half|a third] of [it|that] [floats|is floating]. [Nothing|I see
              nothing] [unusual|exotic] [beyond that|otherwise].
            * The [effective|booked] rate was {tax_rate} [this time|in the quarter], and
              [absent|barring] [changes in law|legislation] [I'd stay|stay] [around|close to]
              [there|that]. [Financing cost|Interest] [is mostly|tends to be] a [function|matter] of
              [average|the] balances, with [repayments|maturities] [spread|staggered] [well|evenly].
            """),
        bank("""
            * [Any|Are there any] maturities [coming|we should know of] [soon|in {next_year}]?
            """),
        bank("""
            * [Nothing|Not one] that [keeps me|would keep me] [awake|up at night]; the
              [next|nearest] [large| sizable] one is [years|some way] [off|out].
            """),
    ),
    Topic(
        "ceo",
        bank("""
            * [With|Given] {headwind}, [how|in what way] are {customers} [behaving|reacting], and
              [have you seen|did you see] any [change|shift] in the [last few|most recent] weeks?
            * [What|And what] do {customers} [say|tell you] about [budgets|spending] [for|in]
              {next_year}? [I know|I realize] [it's early|visibility is poor], but [any|whatever]
              [color|texture] [would help|is welcome].
            """),
        bank("""
            * [They're|People are] [cautious|careful] [but|yet] [not|far from] [frozen|absent].
              [Orders|Decisions] [get|are] [split|broken] into [smaller|several] pieces, [and|while]
              [some|a few] [wait|hold out] for [clarity|better terms]. [We hear about|They mention]
              {headwind} in [every|nearly each] conversation. [Still|Even so], [nobody|no large
              account] has [walked away|left us].
            * [The mood|Sentiment] is [better|no worse] than [headlines|commentators]
              [suggest|imply]. [In|Across] {region} [I hear|we hear] [talk|plans] of
              [adding|expanding], [elsewhere|in other places] of [waiting|holding]. [What|The thing
              that] [helps|works for us] is {brand}, [where|since] the [payback|return] is
              [short|quick] enough to [survive|pass] a [budget|spending] review.
            """),
        bank("""
            * [How|And how] [would|could] you [adjust|flex] {cost} spending [in response|if needed]?
            """),
        bank("""
            * [Gradually|Step by step]; we [cut|trim] [discretionary|travel and consulting]
              [items|lines] first.
            """),
    ),
)

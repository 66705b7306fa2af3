"""Sentence patterns for the figures of a call: a bank for each fact, by direction if needed."""

from __future__ import annotations

from finllm.fiction.spoken import bank

REVENUE_UP = bank("""
    * [{company}'s|Our] top line [grew|expanded] {pct} [from|over] the [same|corresponding] quarter
      of {prior_year}
    * {revenue} [advanced|climbed] {pct} [on a reported basis|year over year], [with|helped by]
      {driver}
    * [we delivered|we produced|we achieved] {pct} {revenue} growth [against|on] a
      [demanding|tougher] comparison
    * [reported growth|growth as reported] was {pct}, [most of it|the larger part] [from|due to]
      {driver}
    * [compared with|set beside] [last year's|the prior-year] {quarter}, {revenue} [rose|{was} up]
      {pct}
    * [at the top line|on the top line], we were up {pct} [versus|against] {prior_year}
    * year-over-year [growth|expansion] [came in at|worked out to] {pct} [for the company|overall]
    * {driver} [lifted|pushed] {revenue} {pct} [above|higher than] the [year-ago|prior-year] level
    * [the business|the company] grew {pct} [in total|on an all-in basis] [despite|in spite of]
      {headwind}
    * [in all|all told], {revenue} [moved up|increased] by {pct} [relative to|from] a year
      [ago|earlier]
    * [a gain|an increase] of {pct} in {revenue} [reflects|owes much to] {driver} [and|as well as]
      [steady|good] [execution|demand]
    """)

REVENUE_DOWN = bank("""
    * [{company}'s|our] top line [shrank|contracted] {pct} [from|against] the [same|corresponding]
      quarter of {prior_year}
    * {revenue} [declined|fell] {pct} [on a reported basis|year over year], [hurt by|mostly because
      of] {headwind}
    * [reported|total] {revenue} [dropped|decreased] {pct}, with {headwind} [the main reason|doing
      most of the damage]
    * [compared with|set beside] [last year's|the prior-year] {quarter}, {revenue} [{was} down|came
      in lower by] {pct}
    * the [decline|decrease] at the top line was {pct} [versus|against] {prior_year}
    * {headwind} [pulled|dragged] {revenue} {pct} [below|under] the [year-ago|prior-year] level
    * [in all|all told], {revenue} [moved down|slid] by {pct} [relative to|from] a year
      [ago|earlier]
    * [we saw|there was] a {pct} [reduction|decline] in {revenue}, [not all|only part] of which [we
      expected|was in our plan]
    * year over year, the [business|company] [gave up|lost] {pct} of its {revenue}
    * {revenue} [slipped|receded] {pct} [as|when] {customers} [bought less|held back]
    """)

REVENUE_FLAT = bank("""
    * {revenue} [{was}|came in] [essentially flat|about level] [with|against] the
      [year-ago|prior-year] quarter
    * [compared with|set beside] {prior_year}, {revenue} [hardly moved|{was} little changed]
    * the top line [was|ended] [flat|nearly unchanged] [year over year|from a year ago], [with|as]
      {driver} [offset|cancelled out] by {headwind}
    * [reported growth|growth] was [close to nil|roughly zero], [though|but] [the mix|the make-up]
      [changed|shifted]
    """)

REVENUE_VALUE = bank("""
    * {revenue} for the {quarter} [{was}|amounted to] {rev}
    * we [recorded|booked|posted] {revenue} of {rev} [in the period|for the three months]
    * [starting|beginning] with the top line, {revenue} [came to|amounted to] {rev}
    * [the income statement opens with|on the income statement, we show] {revenue} of {rev}
    * {company} [generated|brought in] {rev} of {revenue} [in {q}|during the quarter]
    * [consolidated|company-wide] {revenue} [reached|stood at] {rev}
    * {quarter} {revenue} [landed|settled] at {rev}
    * [for the three months|for the period], we [reported|are reporting] {revenue} of {rev}
    * [total|all-in] {revenue}, [with every segment included|summed over the segments], {was} {rev}
    * the [quarter's|period's] {revenue} [added up|came] to {rev}
    """)

REVENUE_PRIOR = bank("""
    * [a year ago|in the same quarter of {prior_year}] [that figure|the comparable figure] was
      {rev_prior}
    * [the comparison is|this compares] with {rev_prior} [a year earlier|in the {quarter} of
      {prior_year}]
    * [recall|you may recall] that the [year-ago|prior-year] [base|quarter] was {rev_prior}
    * in {prior_year} the same [line|three months] showed {rev_prior}
    """)

REVENUE_CONSTANT = bank("""
    * [currency|foreign exchange] [was a factor|played a part], and at constant rates {revenue}
      {cc_moved}
    * [stripping out|without] [exchange rates|currency], {revenue} {cc_moved}
    * [on a constant-currency basis|in constant currency], the top line {cc_moved}
    """)

VERSUS_GUIDE_ABOVE = bank("""
    * that is [above|better than] the {guide} we [guided to|indicated] [in our last call|three
      months ago]
    * we had [told you to expect|pointed to] {guide}, so [we came out ahead|this was a beat]
    """)
VERSUS_GUIDE_BELOW = bank("""
    * that is [short of|below] the {guide} we [guided to|indicated] [in our last call|three months
      ago]
    * we had [told you to expect|pointed to] {guide}, so [we missed|we fell short of] our own
      [mark|range]
    """)
VERSUS_GUIDE_WITHIN = bank("""
    * that is [within|inside] the {guide} we [guided to|indicated] [in our last call|three months
      ago]
    * we had [told you to expect|pointed to] {guide}, and [we landed in it|that is where we came
      out]
    """)

SEGMENT = bank("""
    * {seg} {seg_moved} to {seg_value}
    * [in the period|for the quarter], {seg} {seg_moved}, [ending|finishing] at {seg_value}
    * {seg} [totaled|reached] {seg_value}, [which means they|and with that] {seg_moved} [year over
      year|on the prior year]
    * {seg} [came to|amounted to] {seg_value}, [versus|against] {seg_prior} a year ago
    * {seg} {seg_moved}, [on|with] {seg_driver}
    """)

GROSS_LEVEL = bank("""
    * gross margin [was|came in at|printed at] {gm}
    * [we earned|we made] a gross margin of {gm} [in the quarter|for the period]
    * [gross profit equaled|gross profit was] {gm} of {revenue}
    * [on profitability|moving down the income statement], gross margin [stood|ended] at {gm}
    """)
GROSS_UP = bank("""
    * [gross margin expanded|that rate improved] {bps} [from a year ago|year over year], [thanks
      to|on] {driver}
    * [against last year|versus {prior_year}], [we gained|it widened] {bps}, [and|as] {driver} more
      than [offset|made up for] {cost} [inflation|pressure]
    * {driver} [added|contributed] [most of|the bulk of] the [improvement|gain] [in gross margin|at
      the gross line], [which was|in all] {bps}
    """)
GROSS_DOWN = bank("""
    * [gross margin contracted|that rate slipped] {bps} [from a year ago|year over year], [because
      of|on] {headwind}
    * [against last year|versus {prior_year}], [we lost|it narrowed] {bps}, as {cost}
      [inflation|costs] [outran|exceeded] [pricing|what we could recover]
    * [most of|the bulk of] the [erosion|decline] [in gross margin|at the gross line], {bps} [in
      all|in total], [came from|was due to] {headwind}
    """)
GROSS_FLAT = bank("""
    * [that rate|gross margin] was [about even|essentially level] with [last year|the year-ago
      quarter]
    * {driver} and {cost} costs [roughly|more or less] [cancelled|balanced] [each other|out]
    """)

OPEX = bank("""
    * operating expenses [were|came to] {opex}, [against|versus] {opex_prior} [a year ago|last year]
    * [below the gross line|further down], we spent {opex} on operations, [and|where] {cost} [was
      the largest mover|rose the most]
    * [selling, general and administrative costs|overhead and other operating costs]
      [totaled|amounted to] {opex}
    * operating expenses of {opex} [equaled|represented] {opex_ratio} of {revenue}
    """)

CHARGE = bank("""
    * [we took|results include] a {charge_kind} of {charge} [before tax|pretax] [tied|related] to
      [{program}|a plant we are closing|the reorganization in {region}]
    * [included in operating results|within operating costs] [is|sits] a {charge} {charge_kind},
      [which we exclude|excluded] from adjusted figures
    * [the quarter bore|we recorded] a [pretax|] {charge_kind} of {charge}, [mostly|largely]
      [non-cash|severance and write-downs]
    """)

OPERATING_PROFIT = bank("""
    * operating income [was|came to] {op}, [or|equal to] {op_margin} of {revenue}
    * [we earned|we generated] {op} of operating income, [compared with|against] {op_prior} [last
      year|a year ago]
    * [that left|this leaves] operating income [of|at] {op}
    * operating profit [reached|amounted to] {op} [on a GAAP basis|as reported]
    """)
OPERATING_LOSS = bank("""
    * [the operating loss was|we had an operating loss of] {op}, [compared with|against] {op_prior}
      [last year|a year ago]
    * [that left|this leaves] us with an operating loss of {op}
    * at the operating line we [lost|were short by] {op} [on a GAAP basis|as reported]
    """)

INTEREST = bank("""
    * [net interest cost us|interest expense, net, was] {interest}, and the tax rate [was|came to]
      {tax_rate}
    * [below the operating line|below that], net interest [took|absorbed] {interest}
    * we [paid|incurred] {interest} in net interest; [our|the] effective tax rate was {tax_rate}
    """)
TAX = bank("""
    * the effective tax rate [was|came in at] {tax_rate}
    * [taxes were booked|we accrued taxes] at [an effective|a] rate of {tax_rate}
    """)

NET_PROFIT = bank("""
    * net income [was|came to] {ni}, [compared with|versus] {ni_prior} [a year ago|in the prior-year
      period]
    * [the bottom line was|we ended with] net income of {ni}
    * [we earned|{company} earned] {ni} after [tax|interest and tax]
    * [GAAP|reported] net income [reached|totaled] {ni}, [where|when] last year's {quarter}
      [showed|gave] {ni_prior}
    """)
NET_LOSS = bank("""
    * the net loss [was|came to] {ni}, [compared with|versus] {ni_prior} [a year ago|in the
      prior-year period]
    * [the bottom line was|we ended with] a net loss of {ni}
    * [we lost|{company} lost] {ni} after [tax|interest and tax]
    * [GAAP|reported] results [show|were] a net loss of {ni}, [where|when] last year's {quarter}
      [showed|gave] {ni_prior}
    """)

EPS_PROFIT = bank("""
    * [that is|this equates to|it works out to] {eps} per diluted share
    * [diluted|GAAP] earnings per share [were|came to] {eps}
    * on [roughly|] {shares} million diluted shares, we earned {eps} [a share|each]
    * earnings [stood at|were] {eps} per [diluted|fully diluted] share, [against|versus] {eps_prior}
      a year [ago|earlier]
    * on a per-share basis, [GAAP earnings|reported earnings] [reached|amounted to] {eps}
    * [our owners|shareholders] earned {eps} a share [under GAAP|as reported]
    * [as reported|under GAAP], EPS [was|printed at] {eps}
    * per diluted share, the [profit|result] was {eps}; [last year it was|a year ago we had]
      {eps_prior}
    * [we are reporting|we reported] diluted EPS of {eps} [for the {quarter}|for the three months]
    * diluted earnings [landed|settled] at {eps} per share
    """)
EPS_LOSS = bank("""
    * [that is|this equates to|it works out to] a loss of {eps} per share
    * the [GAAP|reported] loss per share [was|came to] {eps}
    * on [roughly|] {shares} million shares, we lost {eps} [a share|each]
    * per share, [we lost|the loss was] {eps}, [against|versus] {eps_prior} a year [ago|earlier]
    * [as reported|under GAAP], the loss [stood at|was] {eps} a share
    * [in per-share terms|on a per-share basis], [that means|we show] a loss of {eps}
    """)
EPS_BREAKEVEN = bank("""
    * on a per-share basis, [GAAP earnings were|that is] [breakeven|nil, or breakeven]
    * per share, we [were|came out at] breakeven, [against|versus] {eps_prior} a year [ago|earlier]
    """)

ADJUSTED_PROFIT = bank("""
    * adjusted earnings, [without|which leave out] the charge, [were|came to] {adj} per share
    * [taking out|excluding] that item, adjusted EPS [was|reached] {adj}
    * on the adjusted [basis|measure] we [use|manage to], [we earned|earnings were] {adj} a share
    * adjusted diluted EPS [stood at|came in at] {adj}, [versus|against] {adj_prior} [a year
      ago|last year]
    """)
ADJUSTED_LOSS = bank("""
    * [even without|leaving out] the charge, [we lost|the adjusted loss was] {adj} per share
    * [taking out|excluding] that item, the adjusted loss per share was {adj}
    * on the adjusted [basis|measure], the loss [stood|came in] at {adj} a share, [versus|against]
      {adj_prior} [a year ago|last year]
    """)

CASH = bank("""
    * cash [from operations|provided by operations] [was|came to] {ocf}, and [we invested|capital
      spending took] {capex}
    * [operations generated|the business produced] {ocf} of cash, [out of which|from which] {capex}
      went [into|to] [capital projects|plant and equipment]
    * [turning to|on] cash flow, we [brought in|took in] {ocf} [from operations|operationally]
      [against|with] [capex|capital expenditure] of {capex}
    """)
CASH_BURN = bank("""
    * operations [used|consumed] {ocf} of cash, and [we invested|capital spending took] {capex}
    * on cash, [the business|our operations] absorbed {ocf}, [on top of which came|in addition to]
      {capex} of capital spending
    """)
FREE_CASH = bank("""
    * free cash flow [was therefore|came out at|was] {fcf}
    * [that makes|this leaves] free cash flow of {fcf}
    """)
FREE_CASH_BURN = bank("""
    * free cash flow was [therefore|thus|] negative [by|at] {fcf}
    * [that makes|this means] a free cash outflow of {fcf}
    """)
NET_DEBT = bank("""
    * net debt [stood at|was] {net_debt} at [quarter end|the end of the period]
    * we [closed|ended] the quarter with net debt of {net_debt}
    * [the balance sheet carried|our balance sheet shows] {net_debt} of net debt
    """)
NET_CASH = bank("""
    * we [closed|ended] the quarter with {net_debt} of net cash
    * cash [exceeded|outweighed] debt by {net_debt} at [quarter end|the end of the period]
    """)
DIVIDEND = bank("""
    * the board [declared|approved] a quarterly dividend of {dps} [a share|per share]
    * [we paid|shareholders received] a dividend of {dps} per share [in the quarter|for the period]
    """)
BUYBACK = bank("""
    * we [repurchased|bought back] {buyback} of [our own|our] [stock|shares]
    * [share repurchases|buybacks] [came to|totaled] {buyback} [in the quarter|for the three months]
    """)
YEAR_REVENUE = bank("""
    * for [the full year|fiscal {year}], {revenue} [totaled|{was}] {fy_rev}
    * [looking at the twelve months|over all four quarters], we [recorded|booked] {revenue} of
      {fy_rev}
    * [full-year|annual] {revenue} [reached|came to] {fy_rev}
    """)
YEAR_GROWTH = bank("""
    * [year on year|against {prior_year}], [that line|annual {revenue}] {fy_moved}
    * [the twelve-month figure|that full-year number] {fy_moved} [from|compared with] {prior_year}
    """)
YEAR_EPS_PROFIT = bank("""
    * [full-year|annual] [earnings|diluted earnings] [were|came to] {fy_eps} per share
    * for [the year|fiscal {year}], [we earned|diluted EPS was] {fy_eps}
    """)
YEAR_EPS_LOSS = bank("""
    * [over|for] the full year, [we lost|the loss came to] {fy_eps} per share
    * [the full-year loss per share|for fiscal {year}, the loss per share] was {fy_eps}
    """)
YEAR_EPS_BREAKEVEN = ("for the year as a whole, [we broke even|earnings per share were breakeven]",)

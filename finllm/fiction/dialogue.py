"""Sentence patterns for plans and risks, the outlook, and the questions and answers."""

from __future__ import annotations

from finllm.fiction.spoken import bank

STRATEGY = bank("""
    * {program}, the [efficiency|transformation] effort we [launched|kicked off] [last year|some
      time ago], is [on schedule|progressing], with [most|the bulk] of the [site work|hard
      decisions] [behind us|done].
    * [Our priorities|The priorities] [have not changed|remain the same]: [serve|look after]
      {customers}, [fund|invest in] {product}, and [keep|hold] {cost} costs [in check|under
      control].
    * [In|Across] {region}, [we are|the team is] [taking share|winning business] with {product}, and
      [we see|there is] [room|scope] to [do more|go further].
    * We [reorganized|simplified] the [leadership|management] of {segment}, [removing|taking out] a
      layer [so that|to make sure] decisions [are made|happen] closer to {customers}.
    * [Talent matters|People matter|Culture counts] too: [turnover|attrition|unwanted departures]
      [eased|came down|fell], and [the open|most key|nearly all vacant] roles in {segment} [are|have
      been] filled.
    * [Our pipeline|The list] of [ideas|projects] for {product} is [long|full|growing], [so|which is
      why] [the team|a small committee|{cfo_first}] [sorts|now sorts] them by [return|payback|risk]
      and [only the|just the] [top|best|strongest] few [get funded|go ahead].
    * [We exited|We wound down] a [small|marginal] activity in {region} that [never earned|did not
      earn] its [cost of capital|keep].
    * {brand} is [a good example|an illustration] of [how we work|what I mean]: [start small|test
      first], [measure|learn], then [roll out|scale] across {segment}.
    * [Safety|Our safety record|The injury rate] [improved again|was the best in years|moved the
      right way], [and|for which] [credit is due to|I thank|we owe thanks to] [every
      colleague|everyone|the crews] [on|at] the [front line|sites].
    * [The integration|Integrating what we bought] in {segment} [went|is going] [smoothly|better
      than I feared], and the [systems|back-office] work [ends|should end] [soon|this year].
    * [Demand|Appetite|Interest] for {product} [outpaced|exceeded|ran past] [supply|our
      capacity|deliveries] [at times|for some weeks|late in the quarter], [and|so] [we are adding
      capacity|a second site opens|more people are being trained] in {region}.
    * [I|We|{cfo_first} and I] [met|sat down with|visited] [many|dozens of|a good number of]
      {customers} [this quarter|lately], and [the message|what they say|their wish] is
      [consistent|clear|simple]: [reliability|service|lead time] [first|above all], [then
      price|price second].
    * [For|In] {segment}, [speed|response time] is [what wins|the difference], and
      [cutting|shortening] [approvals|hand-offs] [gave|has given] us [days|weeks] back on {product}.
    * [One number|A statistic] [I like|I keep an eye on]: {customers} that [buy|use] {product}
      [and|as well as] {brand2} [stay|remain] with us [far|noticeably] longer.
    * [The board|Our board] [spent|took] [a day|two days] visiting {region} and [came away|left]
      [convinced|persuaded] that {segment} [deserves|merits] [more|patient] [capital|investment].
    * [Technology|Automation] [spending|investment] [stays|remains] [high|a priority]:
      [planning|scheduling] for {product} now [runs|works] [on|with] [one|a single] [set of
      data|model], [not|rather than] [five|a dozen] spreadsheets.
    * [We said no|The answer was no] to [several|a few] [opportunities|offers] this [quarter|year],
      [because|since] {segment} [has|offers] [better|safer] [uses|projects] for the money.
    * [Sustainability|Our environmental work] [is|remains] [practical|down to earth] here: [less
      waste|lower energy use] in {segment} [also|at the same time] [trims|reduces] {cost}
      [costs|spending].
    * [Partnerships|Alliances] [opened|are opening] [doors|channels] in {region};
      [two|three|several] [signed|new] [agreements|contracts] [cover|include] {product} [and
      more|among other things].
    * [New|Recent] [hires|leaders] in {segment} [came|joined] from [outside|other industries], and
      [they ask|they bring] [good|uncomfortable] questions [about|on] [how|why] we [price|sell]
      {product}.
    * [I was|I have been] [in|to] {region} [twice|three times] [since|in the months since] [our last
      call|we spoke], and [the mood|morale] among [the staff|our people] [is|was] [better|high].
    """)

RISKS = bank("""
    * [We are not|Nobody here is] [immune|complacent]: {headwind} [could persist|may last]
      [longer|further] than our [plan|budget] [assumes|allows for].
    * [What worries me|The thing I watch|What I discuss] most is {headwind}, [together with|along
      with|and next to it] [the way|how] {customers} [spend|behave|react] [in|across] {region}.
    * [Visibility|Our visibility] [into|on] {segment} is [limited|poorer than I like],
      [particularly|above all] in {region}.
    * [There are risks|Risks remain], [of course|naturally], [among them|including] {headwind}, and
      [we plan|our plan is built] [accordingly|with that in mind].
    * [If|Should] {customers} [pull back|turn cautious], we [would move|are ready to move]
      [fast|early] on {cost} spending.
    * [On the other side of the ledger|Less favorably], {headwind} [cost us|took away]
      [momentum|some sales] [in|through] the [last weeks|final month] of the quarter.
    * [I don't expect|We do not count on] {headwind} to [go away|fade] [soon|before year end].
    """)

TO_OUTLOOK = bank("""
    * [Now|Let me turn|Turning] to [the outlook|our outlook|guidance].
    * [Looking ahead|As we look forward], [a word on|here is how we think about] [what comes
      next|the rest of the year|the periods ahead].
    * [That brings me to|Finally,] [our expectations|the outlook].
    """)

GUIDE_NEXT_REVENUE = bank("""
    * for the {next_quarter}, we [expect|anticipate] {revenue} of {next_rev}
    * [we are guiding to|our guidance calls for] {next_quarter} {revenue} of {next_rev}
    * {revenue} [should|is expected to] [land|be] [at|in a range of] {next_rev} [in|for] the
      {next_quarter}
    * [in the coming quarter|for the next three months], our [forecast|planning range] for {revenue}
      is {next_rev}
    """)
GUIDE_NEXT_EPS = bank("""
    * [we look for|we expect] adjusted results of {next_eps} per share [in that period|on that top
      line]
    * [for the {next_quarter}|in the same quarter], adjusted EPS [should be|is seen at] {next_eps}
    * [that translates into|this should yield] adjusted per-share results of {next_eps}
    """)

GUIDE_YEAR_INITIAL = bank("""
    * for [fiscal|full-year] {guide_year}, we [expect|project] {revenue} of {year_rev}
    * our [first|initial] [view|outlook] of {guide_year} [calls for|is for] {revenue} [of|in the
      range of] {year_rev}
    * [we see|we are planning for] {guide_year} {revenue} [of|in a range of] {year_rev}
    """)
GUIDE_YEAR_RAISED = bank("""
    * we [now expect|are lifting our forecast, and now look for] full-year {revenue} of {year_rev},
      [rather than|where we had] {year_rev_before} [before|previously]
    * [our earlier range|the range we gave you] for {guide_year} {revenue} stood at
      {year_rev_before}. [On the strength of {driver}|Given what we have seen], [we are moving|we
      move] it up, to {year_rev}
    * our confidence in {guide_year} has [grown|increased], so the {revenue} range [goes|moves]
      higher. [It is now|The new range is] {year_rev}
    """)
GUIDE_YEAR_LOWERED = bank("""
    * we [now expect|are cutting our forecast, and now look for] full-year {revenue} of {year_rev},
      [rather than|where we had] {year_rev_before} [before|previously]
    * [our earlier range|the range we gave you] for {guide_year} {revenue} stood at
      {year_rev_before}. [With {headwind}|Given what we have seen], [we are moving|we move] it down,
      to {year_rev}
    * [we have become|we are] more cautious on {guide_year}, so the {revenue} range [comes
      down|moves lower]. [It is now|The new range is] {year_rev}
    """)
GUIDE_YEAR_AFFIRMED = bank("""
    * [our view of|our thinking on] the full year is [unchanged|the same]: {revenue} of {year_rev}
    * we [reiterate|stand by|affirm] our {guide_year} {revenue} [outlook|forecast] of {year_rev}
    * [nothing we have seen|nothing in the quarter] [changes|alters] the full-year range for
      {revenue}, which [remains|stays at] {year_rev}
    """)
GUIDE_YEAR_EPS = bank("""
    * [for the year|on the same basis], adjusted results [should be|are seen at] {year_eps} per
      share
    * [we expect|our range is for] full-year adjusted per-share results of {year_eps}
    * adjusted per-share results for {guide_year} [are expected at|should come to] {year_eps}
    """)

GUIDE_ASSUMES = bank("""
    * [this assumes|built into this is] [no further|little] change in exchange rates, and {headwind}
      at [current|today's] levels.
    * [the range reflects|behind the range is] [an allowance for|the weight of|a provision for]
      {headwind}, [offset|balanced] in part by {driver}.
    * [we have not assumed|it does not include] any [acquisitions|transactions] [beyond|other than]
      [what is announced|those already closed].
    """)
NO_GUIDE = bank("""
    * [As before|As in the past], we do not [give|issue] [numerical|quantitative] guidance, but
      [directionally|in broad terms] we [expect|see] {driver} to [continue|help] and {headwind} to
      [linger|remain].
    * [Given|With] {headwind}, we [will not|have chosen not to] [provide|publish] a range for the
      [coming quarter|year] [today|at this point].
    """)

TO_QUESTIONS = bank("""
    * [Operator|{operator}], [please open the line|we can take questions now].
    * [With that|And with that], [we're happy to|let us] take [your questions|questions].
    * That [concludes|completes] [what we prepared|our remarks]. [Let's move|We can go] to
      [Q&A|questions].
    """)
FIRST_QUESTION = bank("""
    * [We will now begin|This opens] the question-and-answer session. [The first question|Our first
      question] [comes from|is from] {analyst} [with|of] {broker}. [Go ahead|Your line is open].
    * [If you have a question|To ask a question], [please press|press] star one. [First in
      line|First up] is {analyst} [from|at] {broker}.
    * [Thank you|Certainly]. [We'll take|Let's take] our first question from {analyst} [at|of]
      {broker}. [Please proceed|Go ahead, please].
    """)
NEXT_QUESTION = bank("""
    * [Our next|The next] question [comes from|is from] {analyst} [with|of] {broker}.
    * [Next|Up next] [is|we have] {analyst} [from|at] {broker}. [Please go ahead|Your line is open].
    * We [move|go] [on|now] to {analyst} [of|at] {broker}.
    * [Thank you|One moment]. {analyst} [from|with] {broker} [has|is on the line with] [a|the next]
      question.
    * And [our next caller|the following question] [is|comes from] {analyst}, {broker}.
    """)
LAST_QUESTION = bank("""
    * [Our last|The final] question [today|] [comes from|is from] {analyst} [with|of] {broker}.
    * We have [time|room] for one more, from {analyst} [at|of] {broker}.
    """)

HELLO = bank("""
    * [Good {daypart}|Hi|Hello], [thanks for|and thank you for] taking [my|the] question.
    * [Thanks|Thank you], [and good {daypart}|everyone].
    * [Hey|Hi], [guys|everybody]. [Thanks|Thank you].
    * [Yeah|Yes], [hi|hello]. [Appreciate|I appreciate] the [time|color so far].
    * [Great|Perfect], thank you.
    * [Good {daypart}|Hello], {ceo_first} and {cfo_first}.
    """)
HELLO_GOOD = bank("""
    * [Congratulations|Congrats] on the [quarter|results].
    * [Nice|Good] [quarter|job], [everyone|all].
    """)
ACKNOWLEDGE = bank("""
    * [Sure|Of course].
    * [Yes|Yeah], [thanks for the question|good question].
    * [Let me|I'll] take that [one|].
    * [Thank you|Thanks], {analyst_first}.
    * [Right|Okay].
    * {analyst_first}, [hi|hello].
    * [Well|So], [a few things|two points].
    * [Happy to|Glad to].
    * [It's a fair question|Fair question].
    """)
FOLLOW_UP_LEAD = bank("""
    * [Okay|Got it], [that helps|understood]. [And|Then] [a quick|one] follow-up [if I may|].
    * [Makes sense|Very helpful]. [And on|Then, on] a different point.
    * [Thanks|Great]. [Second|My second] question, [quickly|then].
    """)
THANKS = bank("""
    * [Thanks|Thank you]. [I'll get back in line|That's all from me].
    * [Perfect|Great], [appreciate it|thank you].
    * [Very clear|Helpful], thanks.
    * [Understood|Okay]. [Best of luck|Good luck].
    """)

CLOSING_CEO = bank("""
    * [Thank you|Thanks] [all|everyone] for [joining|your questions]. [We look forward to|I look
      forward to] [updating|speaking with] you [next quarter|in three months].
    * [In closing|To close], I [thank|want to thank] our [employees|people] and {customers}. [Have a
      good {daypart}|Goodbye].
    * [That's all|So that is all] [for today|from us]. [There is|We have] work to do [in
      {segment}|on {product}], and [the team|everyone here] [knows it|is on it]. Thank you.
    * [A busy|An eventful] {quarter} [is behind us|is done], and [the next one|another] [has
      started|is under way]. [Thank you|Thanks] for [listening|your time].
    * [If you have|Should you have] more questions, {ir_first} is [around|available] all day.
      [Goodbye|Take care], [everyone|all].
    * [Let me leave you with|I close on] [one thought|a word]: {brand} and {program} [are|remain]
      [what we are judged on|where to watch us]. [Thank you|Thanks] for [calling in|joining].
    """)
CLOSING_OPERATOR = bank("""
    * [This concludes|That concludes] [today's|the {company}] [call|conference]. You may [now|]
      disconnect.
    * [The call|The conference] [has ended|is over]. [Thank you|We thank you] for
      [participating|your time].
    * Ladies and gentlemen, [thank you for attending|this ends our session]. [Goodbye|Please
      disconnect].
    """)

ASK_FIGURE = bank("""
    * [I may have missed it|Forgive me if I missed it], but [did you give|could you give us]
      {thing}?
    * [Could you|Would you] also [share|disclose] {thing}? I [did not see|missed] it in the
      [release|tables].
    * [Where did|How did] {thing} [end up|come out], [please|if you have it handy]?
    """)
GIVE_FIGURE = bank("""
    * [Sure|Yes, of course].
    * [It was not in the remarks|We left it out of the remarks], [so|but] [here it is|let me give it
      to you].
    * [I have it here|It's in front of me].
    """)

"""Sentence patterns that open a call and hand it from one speaker to the next."""

from __future__ import annotations

from finllm.fiction.spoken import bank

WELCOME = bank("""
    * [Good morning|Good afternoon|Greetings|Hello], [ladies and gentlemen|everyone], and [welcome
      to|thank you for joining] the {company} {quarter} {year} [earnings|results] [call|conference
      call]. [All lines are|Your lines are] [muted|in listen-only mode] [for now|at this time]. I
      [now|] hand [over|the call] to {ir}, [who heads|responsible for] investor relations.
    * [Thank you for standing by|Please stand by]. This is the {company} [conference call|earnings
      webcast] for the {quarter} of {year}. [After the presentation|Following prepared remarks],
      [there will be|we will hold] a question-and-answer session. {ir} of investor relations [will
      start|begins]. [Please go ahead|Over to you].
    * Welcome, [all|everyone], to {company}'s [discussion|review] of {quarter} {year} results. My
      name is {operator}, and I [will be|am] your [operator|coordinator] today. [It is my pleasure
      to|I would like to] [introduce|present] {ir} from [the investor team|investor relations].
    * [Good day|Hello and welcome], and thank you for [dialing in|calling in]. {company} is [about
      to begin|starting] its {quarter} [earnings|financial results] call. This [event|call] is being
      recorded. [I'll pass|Let me pass] [it|you] to {ir}.
    """)

IR_OPENING = bank("""
    * Thank you, and [good {daypart}|hello] to [everyone|all of you]. [With me are|Joining me are]
      {ceo}, our [chief executive|CEO], and {cfo}, our [chief financial officer|CFO].
    * Thanks, [operator|{operator}]. [On today's call|Here with me today] we have {ceo}, [chief
      executive officer|who leads the company], and {cfo}, [who runs finance|our finance chief].
    * [Good {daypart}|Welcome], and thanks for [your interest|spending time with us]. You will [hear
      first|first hear] from {ceo}, our CEO, [before|and then] {cfo}, our CFO, [covers|takes you
      through] the [numbers|financials].
    * [Appreciate it|Thank you], operator. [The release|Our press release] [crossed|went out]
      [earlier today|before the market opened|this morning], and [slides|a presentation] can be
      found [on our site|in the investor section of our website]. {ceo} and {cfo} [are in the
      room|join me].
    """)

WARNING = bank("""
    * [Some of what we say|A number of our comments|Parts of this presentation] today [will be|are]
      forward-looking, and [actual results|what happens] [may|could] [differ|turn out otherwise],
      [perhaps|possibly] [materially|a great deal].
    * [Before we begin|First], the [usual|customary] [reminder|caution]: statements about [the
      future|plans and expectations] [carry|involve] [uncertainty|risk].
    * [Let me remind you|Please remember|Bear in mind] that [projections|expectations]
      [voiced|given] on this call [reflect|rest on] our view [as of today|right now];
      [events|conditions] [can|may] prove [it|that view] wrong.
    * [Today's remarks|Our remarks|The comments to follow] [contain|include] outlook statements
      [subject|which are subject] to risks, [among them|including] {headwind} and [the
      economy|general conditions].
    * [We will talk|There will be talk] about [plans|what lies ahead], and [plans change|none of it
      is certain]; {headwind} [may be|could be] [only one|just one] of the [things|factors] that
      [could intervene|might get in the way].
    * [Anything|Whatever] [we say|you hear] on [future|coming] [quarters|periods] is [a forecast|an
      estimate], not a [promise|guarantee], and [outcomes|results] [can|may] [stray|depart] from it
      [considerably|a lot].
    """)
WARNING_SOURCE = bank("""
    * [The risks are described|We describe the risks] in our [annual filing|most recent filings],
      and we [accept|assume] no duty to [update|revise] [today's statements|our comments].
    * Our [public filings|regulatory documents] [set out|list|explain] the factors that
      [might|could] [change|alter] the [outcome|picture].
    * [See|Please read|I refer you to] the risk section [of|in] our [latest|most recent]
      [report|annual report].
    * [Do not place|Please avoid placing] undue [weight|reliance] on [such words|them], and
      [consult|check] our [public documents|regulatory filings] for [a full list|details].
    * [For|On] the [factors|risks] involved, [today's release|the press release] and our filings
      [are|remain] the [place to look|better guide].
    """)
NON_GAAP = bank("""
    * [We will also use|Speakers will refer to] [adjusted|non-GAAP] [measures|figures];
      [reconciliations can be found|the bridge to GAAP is] in [the release|the tables] [published
      today|on our website].
    * [Where we say adjusted,|The word adjusted means that] [one-time|unusual] items [are|were|have
      been] [left out|removed]; [a table|the release] [ties|links] [both views|it back to GAAP].
    * Unless [stated otherwise|we say so], [comparisons are with|growth rates are measured against]
      the [same|corresponding] period of [the previous year|{prior_year}].
    * [A table|The appendix] [reconciles|bridges] [adjusted|non-GAAP] [figures|results] [with|to]
      [reported|GAAP] ones.
    * [Percentages|Changes] [we quote|we mention] [compare|are] with the {quarter} of {prior_year}
      [unless noted|if nothing else is said].
    """)

TO_CEO = bank("""
    * [With that|And with that], [I'll turn|let me turn] [it|the call] over to {ceo_first}.
    * {ceo_first}, [over to you|the floor is yours|please begin].
    * [Now|So], here is {ceo_first}.
    * I [will now|would like to] [hand|pass] [the call|things] to {ceo_first}.
    """)

CEO_OPENING_GOOD = bank("""
    * Thank you, {ir_first}, and good {daypart}. [I am pleased|It's a pleasure] to report [a quarter
      of progress|another solid quarter], and [the credit|most of the credit] [goes|belongs] to our
      [teams|people] in {region} and [beyond|elsewhere].
    * Thanks, {ir_first}. [We executed|The team executed] well [in a period|at a time] when
      {headwind} [could have|might have] thrown us off, and [it shows|you can see that] in [the
      numbers|what we report today].
    * Good {daypart}, everyone. [Three months ago|When we last spoke] I [told|said to] you that
      {driver} would [show up|come through], and [I am glad|I'm happy] to say that it [did|has].
    * [Hello, all|Hi, everyone]. This was a [good|strong] {quarter} for {company}:
      [customers|{customers}] [came back for more|responded], [the plan held|our plan is working],
      and we [made money|earned a profit] [doing it|along the way].
    """)

CEO_OPENING_MIXED = bank("""
    * Thank you, {ir_first}. {quarter_cap} [was|turned out to be] a [mixed|two-sided] quarter, with
      [real progress|encouraging signs] in {segment} [set against|and] {headwind} that we [could not
      fully offset|did not entirely absorb].
    * Good {daypart}. [Let me be direct|I'll be plain]: [parts of|some of] the business [did
      well|performed], [others|other parts] [have work to do|did not], and [we know|I know] where
      [the fixes|the gaps] are.
    * Thanks, {ir_first}, and [hello|welcome]. [Against|Given] [a choppy|an uneven] backdrop we
      [kept our footing|held steady], [helped|supported] by {driver}, even [if|though] {headwind}
      [took some of it back|was a drag].
    * [It was|This was] not [an easy|a simple] quarter to [read|navigate]. {customers_cap} [were
      cautious|hesitated] [early on|at first], [then|and later] [activity|demand] [came
      around|picked up], [most visibly|above all] in {segment}.
    """)

CEO_OPENING_BAD = bank("""
    * Thank you, {ir_first}. [These are not|This was not] the [results|quarter] we [wanted|set out
      to deliver], and I [take|accept] responsibility. {headwind_cap} [hit us|weighed on us]
      [harder|for longer] than [planned|we assumed].
    * Good {daypart}. We [lost money|posted a loss] in the {quarter}, and [I want|I'd like] to
      [spend my time|talk] [today|this {daypart}] on [what went wrong|the causes] and [what we are
      doing|the remedies].
    * Thanks, {ir_first}. [A loss is|Losing money is] never [acceptable|something we accept], but
      the [shape|quality] of the quarter was [better|less bleak] than the [bottom line|headline]
      [suggests|alone would tell you].
    * [Hello, everyone|Good {daypart}, everyone]. We are [in the middle of|partway through] a
      [turnaround|reset], and this quarter [shows|showed] [both sides|the two faces] of it: {driver}
      [on the one hand|for one], [and still|yet also] a [reported|bottom-line] loss.
    """)

CFO_OPENING = bank("""
    * Thank you, {ceo_first}, and good {daypart}. [I'll go through|Let me review] the {quarter}
      [figures|numbers], [then|and then] the [balance sheet|cash flow] and [our outlook|the
      outlook].
    * Thanks, {ceo_first}. [I will keep|Let me keep] this [fairly|] brief, since the
      [tables|details] [are|can be found] in the release.
    * [Hello, everyone|Good {daypart}, all]. [A few words|Some color] on [the drivers|what moved]
      [behind the|in the] results, [starting|beginning] [at the top|with sales].
    * Thank you. {ceo_first} [has set the scene|gave the overview|covered the business], so I [will
      stick|can go straight] to the [figures|financials] for the {quarter}.
    """)
TO_CFO = bank("""
    * {cfo_first} will [now|] [take you through|walk you through] the [numbers|financials] [in
      detail|].
    * [Let me|I will] [hand over|turn the call over] to {cfo_first} for the [figures|financial
      review].
    * [With that|Now], {cfo_first}, [over to you|please take it from here|please go ahead].
    """)

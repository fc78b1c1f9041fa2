"""The hosted classifier: a language model at OpenAI, or at any server that speaks its wire.

opening    the gate, and the parts put together        classifier  one mail: let out, pay, ask, read
client     the connection: where bytes go, how long    prompt      the words that are sent
decisions  a probability for every category            schema      one category, by a strict JSON schema
code       one code, and the odds of all codes         chat        what answers of chats and completions share
trial      which of these the server can               paid        each call, with its price
survey     what `cubbyd check` says of it
failure    the table: what each failure leads to       retry       trying again; the only place that does
breaker    resting after many failures                 ledger      what was spent, and whether more may be
"""

"""Words of the library."""

SHEET = """
people: librarian reader author scholar historian bookbinder archivist

animals inmates: bookworm tomcat

places in: library archive basement annexe lobby
places on: mezzanine bookshelf armchair
places at: lectern

things books: novel dictionary biography encyclopaedia almanac
things papers: manuscript letter document
things tools: pen quill stamp magnifier typewriter
things parts: chapter sentence footnote
things pictures: portrait engraving
things fixtures!: ladder bookcase lamp
things stuff: parchment~ dust~ cardboard~

events: lecture exhibition debate

qualities people: bookish wise+ curious forgetful
qualities books: weighty priceless readable
qualities papers parts: handwritten faded
qualities inmates: lean
qualities fixtures: upholstered
qualities stuff: yellowed
qualities places: silent spacious vaulted

do publish: author > novel
do translate: author scholar > novel letter document chapter
do bind/bound: bookbinder > books
do edit: author > chapter footnote
do decipher: scholar archivist historian > manuscript parchment
do sign: author > letter novel document with pen quill
do chew: bookworm > parchment cardboard novel
do sort: librarian archivist > books papers
do discuss: scholar reader historian > novel biography debate lecture
do shelve: librarian archivist > books
do illustrate: author > encyclopaedia chapter
do misplace: reader historian > pen magnifier
do preserve: archivist librarian > manuscript document
do doze: reader tomcat scholar
do purr: tomcat
do glow: lamp
do mutter: reader librarian
do wobble: ladder bookcase
go pace: scholar librarian
go shuffle: reader archivist
go saunter: tomcat historian
"""

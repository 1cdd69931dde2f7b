"""Words of the theatre."""

SHEET = """
people: actor=he actress=she director usher dancer musician conductor magician clown spectator

animals troupe: poodle monkey dove

places in: theatre auditorium foyer cloakroom
places on: stage podium
places at: footlights

things instruments: violin flute drum harp
things costumes: mask wig cloak slipper
things props: wand mirror skull
things pieces!: comedy tragedy opera melody
things fittings!: curtain spotlight chandelier piano
things print: ticket script poster

events: premiere rehearsal interval

qualities people: nervous talented graceful
qualities costumes: velvet glittering
qualities instruments: tuneful
qualities pieces: hilarious tragic
qualities props print: magical
qualities fittings: dazzling
qualities troupe: acrobatic obedient
qualities places: dim

do applaud: spectator usher director > actor actress dancer clown magician
do rehearse: actor actress dancer musician > pieces
do perform: actor actress musician conductor > pieces
do tune: musician > instruments piano
do juggle: clown magician > skull slipper wand
do tear/tore/torn: usher clown > ticket poster
do conjure: magician > dove
do enchant: dancer magician actress > spectator
do raise: usher > curtain
do wear/wore/worn: actor actress clown dancer > costumes
do interrupt: spectator director clown > rehearsal premiere comedy tragedy
do illuminate: spotlight chandelier > actor actress dancer
do imitate: monkey clown actor > conductor dancer
do weep/wept: spectator actress
do bark: poodle
do sparkle: chandelier spotlight
do coo: dove
go twirl: dancer actress clown
go tiptoe: dancer usher
go leap/leapt: monkey dancer poodle
"""

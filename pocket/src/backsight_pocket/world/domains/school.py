"""Words of the school."""

SHEET = """
people: pupil teacher headmaster=he headmistress=she janitor classmate schoolboy=he schoolgirl=she tutor

animals pets: hamster goldfinch tadpole

places in: school classroom gymnasium corridor canteen
places on: playground staircase
places at: blackboard desk

things stationery: pencil notebook eraser ruler crayon satchel
things writing: essay poem riddle sum alphabet
things aids: globe atlas diagram
things toys: ball marble kite
things fixtures!: radiator
things supplies: chalk~ ink~ paper~

events: lesson exam recess excursion

qualities people: diligent mischievous absent punctual
qualities stationery: blunt pointed
qualities writing: difficult easy
qualities toys aids: wooden round
qualities pets: furry
qualities supplies: smudgy
qualities places: tidy echoing

do teach/taught: teacher tutor headmistress headmaster > pupil schoolboy schoolgirl
do scold: teacher headmaster headmistress > pupil schoolboy schoolgirl classmate
do praise: teacher headmistress tutor > pupil classmate essay poem
do solve: pupil schoolgirl tutor > riddle sum
do recite: pupil schoolboy classmate > poem alphabet
do write/wrote/written: pupil teacher schoolgirl > essay poem with pencil
do draw/drew/drawn: pupil schoolboy teacher > diagram with crayon pencil
do erase: teacher pupil > sum diagram
do sweep/swept: janitor > classroom corridor
do copy: pupil schoolboy classmate > sum diagram poem
do memorise: pupil schoolgirl > alphabet poem
do bounce: pupil schoolboy > ball
do throw/threw/thrown: schoolboy classmate > ball marble
do spill: pupil schoolboy > ink
do giggle: pupil schoolgirl classmate
do fidget: pupil schoolboy hamster
do rattle: radiator
go scramble: pupil hamster classmate
go skip: schoolgirl schoolboy
go hop: goldfinch pupil
"""

#include "source/words.h"

/* Ranks and lengths of English and Russian as measured on the real corpus, with more in the
 * rarest ranks for the words that the rules make twice;
 * the others follow English. */
#define RANKS_EN                                                                                   \
    { 25, 39, 52, 66, 62, 74, 79, 79, 84, 89, 93, 88, 58, 51, 41, 20 }
#define RANKS_RU                                                                                   \
    { 51, 36, 32, 34, 34, 39, 45, 57, 67, 78, 88, 97, 104, 103, 115, 20 }
#define WORDS_EN                                                                                   \
    { 3, 5, 6, 7, 8, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 23 }
#define WORDS_RU                                                                                   \
    { 2, 4, 5, 6, 7, 8, 8, 9, 9, 10, 11, 12, 12, 13, 15, 18 }

const dn_tongue dn_tongues[] = {
    {
        .code = "en",
        .per_mille = 678,
        .common =
            "the to of in a and for is on you it with at from this that new be i are by your "
            "news we my not as about he his have was no up what who will after an just but all "
            "out more how me one do they has when people can if or over man her get she their "
            "now our so why us today first says day like don make day time back love best go "
            "good school year two want police life right world women know need really never "
            "black white house into off been him there its too than them would could should "
            "some any only other where which down home city state game win team fire car man "
            "old big little great last next way look see take come think help stop show call "
            "let work keep give find long high real free live top most much many every still "
            "again because before being between both does did done each even ever few here "
            "made same such these those through under very were while without week month "
            "morning night tonight tomorrow yesterday friend family mother father child baby "
            "girl boy woman men kids health food water money business market job company "
            "office street road town country law court case judge trial death dead killed "
            "shot gun crime attack victim man arrested charged accused vote party "
            "president leader minister government power war peace army border plan deal bill "
            "tax budget bank price stock trade oil gas energy weather storm rain snow heat "
            "summer winter spring music song band movie film star book story picture photo "
            "video watch play player season coach ball field score match race final record "
            "phone app internet site web page link data science study test doctor hospital "
            "care drug cancer heart body mind eye hand head face foot hair dog cat bird fish "
            "tree park river lake island mountain beach sun moon sky earth air light dark red "
            "blue green yellow gold silver iron stone glass paper wood plastic cup plate table "
            "chair door window wall floor room bed kitchen garden shop store",
        .stems =
            "act add age aid aim art ask bad bag bar base bat bear beat bell belt bend bet bind "
            "bit "
            "bite blow board boat bolt bomb bond bone boot born boss bowl box brain branch brand "
            "brave bread break brick bridge brief bring broad brother brown brush build burn bus "
            "bush busy button buy cake calm camp cap card carry cash cast catch cause cell chain "
            "chance change charge chase cheap check cheer chest chief choice church circle claim "
            "class clean clear click climb clock close cloth cloud club coal coast coat code cold "
            "color common cook cool copy corn corner cost count couple course cover craft crash "
            "cream credit crew cross crowd crown cry cut cycle dance danger date daughter deep "
            "degree desk detail dinner direct dirt draft draw dream dress drink drive drop dry "
            "dust "
            "duty early earn ease east eat edge effort egg elect empty end engine enter equal "
            "event "
            "exam example expert extra fact fail fair fall false fan farm fast fat favor fear feed "
            "feel fell fight figure file fill fit fix flag flat flight float flood flow flower fly "
            "focus fold follow force forest forget form fort forward frame fresh front fruit fuel "
            "full fun fund future gate gather gentle gift glad global goal goat grain grand grant "
            "grass gray ground group grow guard guess guest guide guitar habit half hall hang "
            "happy "
            "harbor hard hat hate hear heavy hero hide hill hip hire history hit hold hole holiday "
            "honest honor hook hope horse hot hotel hour huge human humor hunt hurry hurt ice idea "
            "image impact inch issue item jacket join joke journey joy juice jump junior key kick "
            "kill kind king kiss knee knife knock lady lamp land language large laugh lay lead "
            "leaf "
            "learn leather leave left leg lesson letter level library lie lift limit line lion lip "
            "list listen local lock lose loss lost loud low luck lunch machine magic mail main "
            "major "
            "map march mark master matter meal mean measure meat medal meet member memory metal "
            "middle mile milk mine minute mirror miss mistake mix model moment mouse mouth move "
            "museum nail name narrow nation nature near neck nerve nest noise north nose note "
            "notice "
            "number nurse ocean offer open opinion orange order owner pack paid pain paint pair "
            "palace pan pants parent part pass past path patient pattern pay pen pencil pepper "
            "perfect period person piano pick piece pilot pink pipe pitch place plain plane plant "
            "pleasant pocket poem point pole polite pool poor pop port post pot potato pound pour "
            "powder practice press pretty prince print prison prize problem profit project promise "
            "proof proud public pull pump pure push queen question quick quiet quite radio rail "
            "raise "
            "range rank rare rate raw reach read ready reason region relax rent repair reply "
            "report "
            "request rescue rest result return rice rich ride ring rise risk rock roll roof root "
            "rope "
            "rose rough round row royal rule run rush sad safe sail salad sale salt sand save "
            "scale "
            "scene search seat second secret seed sell send sense serve set shade shake shape "
            "share "
            "sharp sheet shelf shell shine ship shirt shoe short shoulder shout sick side sign "
            "silk "
            "simple sing sink sister sit size skill skin sleep slide slow small smart smell smile "
            "smoke smooth soap soft soil soldier solid son sort soul sound soup south space speak "
            "speed spell spend spirit split spoon sport spot stable staff stage stand start "
            "station "
            "stay steal steam steel step stick sting stream strength stretch strike string strong "
            "student style sugar suit supper supply sure surface surprise swear sweet swim swing "
            "symbol tail talk tall tank tape target task taste taxi tea teach tear tell tennis "
            "tent "
            "term thank theater thick thin thing thought thread throat throw thumb ticket tie "
            "tiger "
            "tight tiny tip tired title tone tongue tool tooth total touch tough tour tower track "
            "train travel treat trick trip truck true trust truth try tube tune turn twice twin "
            "type "
            "uncle union unit upper value van view village visit voice wage wait wake walk war "
            "warm "
            "warn wash waste wave weak wear wedding weight welcome well west wet wheel whisper "
            "whole "
            "wide wife wild wind wine wing wise wish wonder word worker worry worth wrap write "
            "wrong "
            "yard yellow young zone",
        .endings = "s ed ing er ers ly y",
        .join = " ",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 680,
        .hashtag = 440,
        .mention = 170,
    },
    {
        .code = "ru",
        .per_mille = 238,
        .common =
            "в и на не с по за о из что для от до к а у как это я он мы вы они все так но же его "
            "её их при под над без или если бы был была были будет может есть нет да уже ещё "
            "только очень после перед через между россии россия сша украины украине москве "
            "москва год года лет день дня время человек люди людей мир мира страны страна "
            "города город дом дома жизнь дело дела новый новая новые первый большой хороший "
            "сегодня завтра вчера сейчас теперь здесь там тут где когда почему потому чтобы "
            "кто кого чем том этом этого той тот себя свой свои наш ваш мой твой один два три "
            "президент власти закон суд полиция война мирный рубль рублей деньги банк цена "
            "нефть газ рынок работа школа дети ребёнок мать отец семья женщина мужчина друг "
            "врач больница болезнь здоровье вода хлеб чай кофе утро вечер ночь зима лето "
            "весна осень снег дождь море река лес поле земля небо солнце звезда книга фильм "
            "песня музыка игра матч команда победа спорт футбол сборная кубок улица дорога "
            "машина поезд самолёт метро авария пожар взрыв видео фото новости канал слово "
            "вопрос ответ правда сила право голос рука глаза голова сердце",
        .stems =
            "бел бер бег близ бол бор брат брос быв вед вел вер вес вид вод воз вол вор вост выс "
            "гаран глав глад глуб год гор гост град груз груп дал дан двиг дев действ дел держ "
            "довер долг доход друж дум душ ед жел жив жил завод зад зай зак зам зап здрав зем зим "
            "знак знач игр избир измен имен интерес кам карт квартир кино клуб книж кол конкурс "
            "контр кор край крас крат круг куп лег лет лиц лож лук люб мал мест мет мин мног мож "
            "молод мор мост муж мысл наблюд наз нал народ нач нов ном нос обл образ общ объ огн "
            "один окн опер опыт орган осн отд откр отнош очеред парк пар пас пер пес печ пис план "
            "плат плов поб пог под пож пок полит пом поч прав праз пред прив прин прир проб прод "
            "произ пром прос прот пуст пут раб рад разв разм рай раст реш рол рос руб рук рын ряд "
            "свет своб связ сев сел серд сил сист слав след слож служ смел смотр соб сов сог соз "
            "сост спас спек спец спор сред став стар степ стор стран строй суд счёт тек тел тем "
            "тер тех тих ток тор точ труд тур увел уд узн укр ул ум усл успе уст уч фак физ форм "
            "хол хор худ цвет цел цен центр час част черн чист член шир школ шум эконом экран "
            "этап юг яв язык ясн",
        .endings =
            "а у е ы и ой ом ов ам ами ах ный ная ное ные ного ному ный ский ская ского ские ение "
            "ения ением ить ать ает ают или ала али ался лись ется ются ость ости остью тель теля "
            "ник ника ники ство ства",
        .join = " ",
        .rank_weight = RANKS_RU,
        .n_words = WORDS_RU,
        .url = 880,
        .hashtag = 210,
        .mention = 40,
    },
    {
        .code = "de",
        .per_mille = 35,
        .common =
            "die der und in das ist zu ich nicht mit den von für auf ein es sie auch im wie dem so "
            "aber wir er an hat eine noch nur als bei aus was man wird sind haben nach mehr kann "
            "oder über wenn war um heute zum zur vor gegen einen schon wieder immer hier alle mal "
            "gut neue jahr zeit leben welt stadt haus kinder arbeit schule polizei wahl partei "
            "deutschland berlin morgen abend nacht woche spiel tor sieg film buch musik bild geld "
            "preis bank firma auto straße wasser wetter regen sonne sommer winter",
        .stems =
            "arbeit bau berg bild blatt brief brot brücke dorf druck ehre eis feld fest feuer film "
            "fluss frage frei freund frieden garten gast geld gericht glas glück grenze grund "
            "hafen "
            "hand haupt haus heim herz hof holz jahr kampf kauf kind kirche kraft kreis kunst land "
            "licht liebe luft markt meister mensch mittel mond mut nacht name natur netz platz "
            "post "
            "preis rat raum recht reise ruhe sache schiff schule see spiel sprache staat stein "
            "stern stunde tag tanz teil tier ton tür verkehr volk wald wasser weg wein welt wert "
            "wind wunsch zahl zeichen zeit ziel zug",
        .endings = "e en er ern es ung ungen lich liche heit keit isch ische los chen",
        .join = " ",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 700,
        .hashtag = 380,
        .mention = 120,
    },
    {
        .code = "uk",
        .per_mille = 15,
        .common =
            "в у і та на не з до що за про як від для по це він вона ми ви вони які який його її "
            "їх але або чи так ще вже буде був була були може є немає тільки дуже після перед між "
            "україни україна україні київ києві рік року років день час людина люди світ країни "
            "місто місті дім життя новий нова нові перший великий сьогодні завтра вчора тут там "
            "де коли чому щоб хто чим президент влада закон суд поліція війна мир гроші банк ціна "
            "ринок робота школа діти мати батько родина друг лікар здоров вода хліб ранок вечір "
            "ніч зима літо сніг дощ море річка ліс поле земля небо сонце книга фільм пісня гра",
        .stems =
            "біл бор брат вед вел вер вид вод воз гол гор град дал двер дел держ дов дру дум жит "
            "заг зак зем знач ім кам карт книг кол край крас лег люб мал міст мол мов мор мис наз "
            "народ нов облас осн парк пер пис план под пол поч прав прац при розв рад рос руч світ "
            "сво сел сил слав служ спів став стар сторон суд тем тих труд укр уст хат цін час шкіл",
        .endings = "а у і и ий ого ому ою ами ах ний на не ні ської ські ення ити ати ає ють ість "
                   "ості ник",
        .join = " ",
        .rank_weight = RANKS_RU,
        .n_words = WORDS_RU,
        .url = 800,
        .hashtag = 210,
        .mention = 50,
    },
    {
        .code = "it",
        .per_mille = 7,
        .common =
            "di e il la che in a per un è non una sono con del i le da si mi ma come al più lo "
            "della "
            "ha anche se io nel ho questo su dei gli alla tutto bene oggi casa vita anno giorno "
            "tempo "
            "mondo città uomo donna amore lavoro scuola acqua sole mare notte sera mattina calcio "
            "partita squadra film libro musica foto governo legge voto paese italia roma milano "
            "grazie ciao buon sempre mai ancora dopo prima quando dove perché molto poco grande "
            "nuovo",
        .stems =
            "alt amic and arm art bell ben brav cald camp cant cap car cart cas cert chiar col "
            "cont "
            "cors cort cos cred cur dat dent dett dolc dur entr fam fatt fer fest fin fort fres "
            "fum "
            "gent giard giorn grand grup guard guid lass lat lav legg lett liber lung man mar med "
            "mess mont mort mov nov ord pac parl part pass past pens perd pian pied port pover "
            "prend "
            "pront punt quadr rag rest ricc rid rosa sal sant scriv sent sol son spes stell tard "
            "tav "
            "temp terr torn trov vent ver vest vin vis voc volt",
        .endings = "o a i e are ere ire ato ata ati ando endo mente zione zioni ino ella oso osa",
        .join = " ",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 600,
        .hashtag = 380,
        .mention = 150,
    },
    {
        .code = "es",
        .per_mille = 6,
        .common =
            "de la que el en y a los se del las un por con no una su para es al lo como más o pero "
            "sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también fue "
            "había "
            "era muy años hasta desde está mi porque qué sólo yo hay vez puede todos así nos ni "
            "parte "
            "tiene él uno donde bien tiempo mismo ese ahora cada vida otro después gobierno mundo "
            "día "
            "hoy casa país hombre mujer ciudad trabajo escuela agua sol mar noche mañana fútbol "
            "partido gol equipo amor familia gracias hola siempre nunca gran nuevo mejor",
        .stems =
            "abr acab alegr alt am amig and aprend arm ayud bail baj beb bell bien blanc buen busc "
            "cab call camb camin camp cant car cas cielo clar cocin com compr conoc contest corr "
            "cos "
            "cre cruz cuerp dej dej dorm dulc empez entr escrib esper fiest flor fuert gan gent "
            "grand "
            "guard habl hac herman hij jug larg lav lech leng libr llam lleg llev luch lun luz man "
            "mes mir mont mund niñ nub ojo pag pal part pas pens perd perr plaz pobr pod pregunt "
            "quer rec respond rest rojo sal segur sent sol son sueñ tard tierr tom trab trat viaj "
            "viej",
        .endings = "o a os as ar er ir ado ada ando iendo mente ción ciones ito ita oso dad aron",
        .join = " ",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 600,
        .hashtag = 350,
        .mention = 200,
    },
    {
        .code = "fr",
        .per_mille = 6,
        .common =
            "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce "
            "il "
            "sont la avec son aux d'un cette d'une ont ses mais comme on tout nous sa fait été "
            "aussi "
            "leur bien peut ces y sans je tu elle vous même ans deux si ou quand jour vie monde "
            "temps "
            "homme femme ville pays maison école travail eau soleil mer nuit matin soir match "
            "équipe "
            "film livre musique photo loi vote paris france merci bonjour toujours jamais encore "
            "après avant grand petit nouveau bon beau amour ami famille enfant",
        .stems =
            "accord aim aliment amus appel appr arriv attend avanc barr bass beaut boi bord boul "
            "bras "
            "bris caus chang chant charg chaud cherch clair coll command compt conseil cont coup "
            "cour "
            "crois cuisin dans demand dess dir donn doux droit dur écout écri entend entr espoir "
            "esprit famill ferm fleur fond forc form fort franc frapp froid gagn gard gouvern gros "
            "habit haut heur histoir jardin jeun jou lang larg lettr lev libr lign long lumi main "
            "march mett mont mont mot mur natur noir nomb ouvr parl part pass pens perd plac plein "
            "port pren propr quart regard rest rêv rich rout sant saut sent serv sort souv tabl "
            "temp "
            "terr tir tomb tourn trav trouv val vend vent ver vill viv vol",
        .endings = "e es er ez ent ait ais ant é ée és tion tions ment eur euse eux if ive age",
        .join = " ",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 600,
        .hashtag = 350,
        .mention = 200,
    },
    {
        .code = "pt",
        .per_mille = 4,
        .common =
            "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi "
            "ao "
            "ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até "
            "isso "
            "ela entre era depois sem mesmo aos ter seus quem nas me esse eles você tinha foram "
            "hoje "
            "dia vida casa mundo tempo gente homem mulher cidade país trabalho escola água sol mar "
            "noite manhã jogo gol time amor família obrigado sempre nunca grande novo melhor",
        .stems =
            "abr alegr alt am amig and aprend bel bon brinc cab cam cant car cas cert cham cheg "
            "chuv "
            "cidad começ compr conhec cont corr cri dan deix dorm escrev esper fal fest fic filh "
            "flor "
            "fort ganh gost grand guard irm jog jov lembr lev livr long lut mand mar mont mud nov "
            "olh "
            "pag part pass pens perd ped pod pov pront quer rest roup sab sai segur sent sol sonh "
            "tent terr tom trat trem vent ver viaj vid vind viv volt",
        .endings = "o a os as ar er ir ado ada ando endo mente ção ções inho inha oso dade aram",
        .join = " ",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 500,
        .hashtag = 300,
        .mention = 200,
    },
    {
        .code = "ar",
        .per_mille = 4,
        .common =
            "في من على إلى أن لا ما هذا هذه كل عن مع كان الله هو هي يا لم قد بعد قبل عند حتى غير "
            "بين "
            "أو ثم إذا كما ذلك التي الذي اليوم يوم ليلة صباح الخير مساء العالم الناس الحياة الحب "
            "القلب الوطن المدينة البيت العمل المدرسة الماء الشمس البحر القمر الكتاب الفيلم الصورة "
            "مباراة فريق هدف الحكومة القانون الرئيس الحرب السلام شكرا جميل كبير جديد واحد",
        .stems = "كتب درس علم عمل فتح سمع نظر لعب شرب خرج دخل رجع سأل حمل قطع وصل حفظ جمع ركب سكن "
                 "صنع طلب",
        .endings = "ة ات ون ين ها هم نا ي ت وا",
        .join = " ",
        .rank_weight = RANKS_RU,
        .n_words = WORDS_RU,
        .url = 600,
        .hashtag = 350,
        .mention = 100,
    },
    {
        .code = "tr",
        .per_mille = 3,
        .common =
            "bir ve bu da de için ne o çok daha gibi ama ben sen biz var yok mi kadar sonra en her "
            "şey bugün yarın gün gece sabah akşam hayat dünya insan kadın adam çocuk ev şehir ülke "
            "iş "
            "okul su güneş deniz yol maç takım gol film kitap müzik resim seçim yasa para fiyat "
            "güzel büyük küçük yeni iyi kötü teşekkür merhaba hiç hep neden nasıl nerede",
        .stems = "ara baş bak bekle bil bul çalış çık dinle düş gel geç git gör göster iste iç kal "
                 "kalk kazan kon oku "
                 "otur oyna öğren sev söyle sor sür tut uç unut ver yap yaz yürü",
        .endings = "lar ler da de dan den ım im iyor acak dı di mak mek lık lik sız siz",
        .join = " ",
        .rank_weight = RANKS_RU,
        .n_words = WORDS_RU,
        .url = 500,
        .hashtag = 350,
        .mention = 150,
    },
    {
        .code = "hi",
        .per_mille = 2,
        .common =
            "के में की है और से को का एक पर यह नहीं भी हैं कि इस ने हो ही तो कर जो था हम आप वह मैं क्या "
            "आज कल दिन रात सुबह जीवन दुनिया लोग घर शहर देश काम स्कूल पानी सूरज समुद्र प्यार परिवार दोस्त "
            "बच्चे माँ पिता खेल मैच टीम जीत फिल्म किताब गाना सरकार कानून चुनाव पैसा बाजार अच्छा बड़ा नया "
            "बहुत धन्यवाद नमस्ते हमेशा कभी अब फिर",
        .stems = "कर चल देख सुन बोल पढ़ लिख खेल मिल रख बना समझ सोच हँस दौड़ खुल बैठ उठ",
        .endings = "ना ता ते ती ेगा ेंगे कर ा ी े",
        .join = " ",
        .rank_weight = RANKS_RU,
        .n_words = WORDS_RU,
        .url = 400,
        .hashtag = 300,
        .mention = 150,
    },
    {
        .code = "ja",
        .per_mille = 2,
        .common = "の は が を に で と も です ます した する ない から まで より 今日 明日 昨日 "
                  "朝 夜 雨 雪 海 山 空 "
                  "人 友達 家族 子供 学校 仕事 会社 電車 駅 家 町 東京 日本 世界 時間 映画 音楽 "
                  "写真 本 試合 勝利 "
                  "選手 天気 ごはん お茶 コーヒー ありがとう おはよう 楽しい 嬉しい 新しい 大きい "
                  "小さい 本当 とても",
        .stems = "食べ 見 聞 書 読 話 歩 走 買 売 作 使 思 知 待 持 会 行 来 帰 遊 飲 泳 笑",
        .endings = "て た ます ました ない たい よう ば",
        .join = "",
        .rank_weight = RANKS_EN,
        .n_words = WORDS_EN,
        .url = 500,
        .hashtag = 300,
        .mention = 100,
    },
};

const int dn_n_tongues = sizeof dn_tongues / sizeof *dn_tongues;
